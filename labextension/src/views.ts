/** Shows pyronb's live views in notebooks: the live widget, or the saved picture while there is no such widget. */

import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { Panel } from '@lumino/widgets';

type RenderMime = NotebookPanel['content']['rendermime'];
type Renderer = ReturnType<RenderMime['createRenderer']>;
type Model = Parameters<Renderer['renderModel']>[0];

// Must be the same as VIEW_MIME in pyronb/jupyter/widgets/live.py.
const VIEW = 'application/vnd.pyronb.view+json';
const WIDGET = 'application/vnd.jupyter.widget-view+json';

// Before that of the widgets themselves, which is at -10.
const RANK = -20;

// A widget that takes longer than that to be found shows its picture meanwhile.
const PATIENCE = 1500;

/** Has every notebook that is opened show views this way. */
export function showViews(tracker: INotebookTracker): void {
  const add = (panel: NotebookPanel) => {
    const { rendermime } = panel.content;
    rendermime.addFactory(
      {
        safe: false,
        mimeTypes: [VIEW],
        createRenderer: () => new ViewRenderer(rendermime)
      },
      RANK
    );
  };
  tracker.forEach(add);
  tracker.widgetAdded.connect((_, panel) => add(panel));
}

/**
 * A widget that is not there leaves a line of text where it should be, for instance in a notebook that was saved and
 * opened again. The picture that is saved with each view says more.
 */
class ViewRenderer extends Panel implements Renderer {
  constructor(private _rendermime: RenderMime) {
    super();
    this.addClass('pyronb-View');
  }

  async renderModel(model: Model): Promise<void> {
    this._observer?.disconnect();
    for (const widget of [...this.widgets]) {
      widget.dispose();
    }
    const saved = this._rendermime.createRenderer('text/html');
    this.addWidget(saved);
    await saved.renderModel(model);
    if (this._rendermime.mimeTypes.includes(WIDGET)) {
      await this._renderLive(model, saved);
    }
  }

  override dispose(): void {
    this._observer?.disconnect();
    super.dispose();
  }

  private async _renderLive(model: Model, saved: Renderer): Promise<void> {
    const live = this._rendermime.createRenderer(WIDGET);
    this.addWidget(live);
    let patient = true;
    const choose = () => {
      // A widget that is there is an element; a message about it is only text.
      const connected = live.node.childElementCount > 0;
      live.setHidden(!connected);
      saved.setHidden(connected || patient);
    };
    const observer = new MutationObserver(choose);
    observer.observe(live.node, { childList: true });
    this._observer = observer;
    choose();
    // What failed is in the console already; here it only means that there is no widget.
    const rendered = live.renderModel(model).catch(() => undefined);
    await Promise.race([rendered, new Promise(resolve => setTimeout(resolve, PATIENCE))]);
    patient = false;
    if (!this.isDisposed) {
      choose();
    }
  }

  private _observer: MutationObserver | null = null;
}
