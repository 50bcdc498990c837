/** Dragging an object out of the panel: a notebook takes it as a cell, consoles and editors as text. */

import { MimeData } from '@lumino/coreutils';
import { Drag } from '@lumino/dragdrop';

const CELLS = 'application/vnd.jupyter.cells';
const ROW = '[data-pyronb-name]';

// A click is no drag, however unsteady the hand.
const THRESHOLD = 5;

/** What a place that takes cells, and one that takes text, are given. */
export function mimeOf(code: string): MimeData {
  const mime = new MimeData();
  mime.setData(CELLS, [{ cell_type: 'code', source: code, metadata: {}, outputs: [], execution_count: null }]);
  mime.setData('text/plain', code);
  return mime;
}

/** Lets the rows in an element be dragged; `codeOf` gives the code for a name, or null when there is none. */
export function makeDraggable(element: HTMLElement, codeOf: (name: string) => string | null): void {
  element.addEventListener('mousedown', event => {
    const row = event.target instanceof Element ? event.target.closest<HTMLElement>(ROW) : null;
    const name = row?.dataset.pyronbName;
    if (event.button !== 0 || name === undefined) {
      return;
    }
    const watcher = new AbortController();
    const { signal } = watcher;
    const { clientX, clientY } = event;
    document.addEventListener('mouseup', () => watcher.abort(), { signal, capture: true });
    document.addEventListener(
      'mousemove',
      moved => {
        if ((moved.buttons & 1) === 0) {
          watcher.abort(); // The button was let go where no event tells of it.
          return;
        }
        if (Math.hypot(moved.clientX - clientX, moved.clientY - clientY) < THRESHOLD) {
          return;
        }
        watcher.abort();
        const code = codeOf(name);
        if (code !== null) {
          void drag(name, code, moved.clientX, moved.clientY);
        }
      },
      { signal, capture: true }
    );
  });
}

function drag(name: string, code: string, x: number, y: number): Promise<unknown> {
  const image = document.createElement('div');
  image.className = 'pyronb-DragImage';
  image.textContent = name;
  const mimeData = mimeOf(code);
  return new Drag({
    mimeData,
    dragImage: image,
    supportedActions: 'copy',
    proposedAction: 'copy',
    source: null
  }).start(x, y);
}
