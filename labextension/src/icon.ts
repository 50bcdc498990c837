import { LabIcon } from '@jupyterlab/ui-components';

// A box, for an object; the class lets the theme choose the colour.
const SVG = `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 24 24">
  <g class="jp-icon3 jp-icon-selectable" fill="#616161">
    <path d="M12 2 20.3 6.6 12 11.2 3.7 6.6Z"/>
    <path d="M3 8.2 11.2 12.8V22L3 17.4Z"/>
    <path d="M21 8.2 12.8 12.8V22L21 17.4Z"/>
  </g>
</svg>`;

export const pyroIcon = new LabIcon({ name: 'pyronb:panel', svgstr: SVG });
