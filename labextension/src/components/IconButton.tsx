import type { LabIcon } from '@jupyterlab/ui-components';
import React from 'react';

interface IIconButtonProps {
  icon: LabIcon;
  /** What it is called; shown as a hint too, unless there is a longer `title`. */
  label: string;
  title?: string;
  className?: string;
  pressed?: boolean;
  busy?: boolean;
  disabled?: boolean;
  tabIndex?: number;
  onClick: () => void;
}

/** A button that is only a picture, with a name for those who do not see it. */
export function IconButton(props: IIconButtonProps): React.JSX.Element {
  const { icon: Icon, label, title, className, pressed, busy, disabled, tabIndex, onClick } = props;
  return (
    <button
      type="button"
      className={`pyronb-IconButton${className ? ` ${className}` : ''}`}
      aria-label={label}
      aria-pressed={pressed}
      aria-busy={busy}
      title={title ?? label}
      disabled={disabled}
      tabIndex={tabIndex}
      onClick={event => {
        event.stopPropagation();
        onClick();
      }}
    >
      <Icon.react tag="span" aria-hidden="true" />
    </button>
  );
}
