/** Accounts whose home is not known yet, or is another node (J7, C1). */
import type { Mutant } from '../mutant.ts';

const said = 'J7 what is said behind a join reaches the room after ';

export const unfound: readonly Mutant[] = [
  {
    name: 'a client that ends its stream before its join is decided has its stream at the server ended too',
    file: 'runtime/session-ends.ts',
    find: ' || account.isJoining(port.id);\n',
    put: ';\n',
    kills: { 'nodes-farewell': [`${said}the end of its stream, with the home not found yet`] },
  },
  {
    name: 'what a session has said is forgotten with it while the home is not found',
    file: 'runtime/cluster/waiting.ts',
    find: "input.kind === 'session-gone' && this.has(input.session);\n",
    put: 'false;\n',
    and: [
      {
        file: 'runtime/cluster/shared-account.ts',
        find: '    const isLate = this.waiting.has(id);\n',
        put: '    const isLate = false;\n',
      },
    ],
    kills: {
      'nodes-farewell': [
        `${said}the end of its stream, with the home not found yet`,
        `${said}the end of its connection, with the home not found yet`,
      ],
    },
  },
  {
    name: 'a home that hears late that a client had dropped ends the stream with which it has come back',
    file: 'runtime/session-carrier.ts',
    find: '    if (legs.isHibernating) legs.suspend();\n',
    put: '    legs.suspend();\n',
    kills: { 'resume-nodes-home': ['S9'] },
  },
  {
    name: 'a guest that joins and goes is kept out of its room',
    file: 'core/rules/forsaken.ts',
    find: '    if (!wait.behind.some(({ stanza }) => isWord(stanza))) continue;\n',
    put: '    if (wait.behind.length > 0) continue;\n',
    kills: { 'nodes-farewell': [`${said}the end of its stream, with the home on another node`] },
  },
];
