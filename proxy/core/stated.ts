/** How available a presence says that its sender is. */
import type { Stanza } from '../xml/stanza.ts';

export interface Stated {
  /** Empty: it says nothing else than that. */
  readonly show: string;
  readonly priority: number;
}

/** RFC 6121 sections 4.7.2.1 and 4.7.2.3; what is no whole number counts as 0. */
export function statedIn({ root }: Stanza): Stated {
  const priority = Number(root.child('priority')?.text() ?? '0');
  return { show: root.child('show')?.text().trim() ?? '', priority: Number.isInteger(priority) ? priority : 0 };
}
