/**
 * The dotted names as a tree, and the tree as the rows that are on view.
 *
 * A node can be a group, a registered name, or both at once (`lab` and `lab.laser`).
 */

import type { NameModel } from './models.js';

export interface Node {
  /** The name up to this level, such as `demo` or `demo.host`; unique in the tree. */
  path: string;
  /** The last part of the path. */
  label: string;
  /** The registration, when there is one of exactly this name. */
  entry: NameModel | null;
  children: Node[];
  /** How many registrations are below this node, itself not counted. */
  size: number;
}

/** One line of the tree as it is shown. */
export interface Row {
  node: Node;
  /** 1 for the outermost nodes. */
  level: number;
  /** Null for a node without children. */
  open: boolean | null;
  /** Place among its siblings, from 1, and their number: what `aria-posinset` and `aria-setsize` want. */
  place: number;
  siblings: number;
  /** Index of the row of the parent, -1 for the outermost nodes. */
  parent: number;
}

// One collator for all comparisons: localeCompare would make one each time. Numeric, so that cam2 is before cam10.
const collator = new Intl.Collator(undefined, { numeric: true });

/** Builds the tree of all `entries`; an empty separator makes a flat list. */
export function buildTree(entries: NameModel[], separator: string): Node[] {
  const roots: Node[] = [];
  const byPath = new Map<string, Node>();
  for (const entry of entries) {
    let siblings = roots;
    let path = '';
    const above: Node[] = [];
    for (const label of splitName(entry.name, separator)) {
      path = path === '' ? label : path + separator + label;
      let node = byPath.get(path);
      if (!node) {
        node = { path, label, entry: null, children: [], size: 0 };
        byPath.set(path, node);
        siblings.push(node);
      }
      above.push(node);
      siblings = node.children;
    }
    const leaf = above.pop()!;
    leaf.entry = entry;
    above.forEach(node => node.size++);
  }
  sortNodes(roots);
  return roots;
}

/** The rows to show, top to bottom. */
export function flatten(roots: Node[], isOpen: (path: string, level: number) => boolean): Row[] {
  const rows: Row[] = [];
  const visit = (nodes: Node[], level: number, parent: number) => {
    nodes.forEach((node, index) => {
      const open = node.children.length === 0 ? null : isOpen(node.path, level);
      const place = index + 1;
      rows.push({ node, level, open, place, siblings: nodes.length, parent });
      if (open) {
        visit(node.children, level + 1, rows.length - 1);
      }
    });
  };
  visit(roots, 1, -1);
  return rows;
}

/** The parts of a name. One with an empty part (`a..b`, `.a`) stays whole, or parts would have no label to show. */
function splitName(name: string, separator: string): string[] {
  const parts = separator === '' ? [name] : name.split(separator);
  return parts.includes('') ? [name] : parts;
}

function sortNodes(nodes: Node[]): void {
  nodes.sort((a, b) => collator.compare(a.label, b.label));
  nodes.forEach(node => sortNodes(node.children));
}
