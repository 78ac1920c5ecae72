/** Rules of devices that sleep, vanish, or break off in the midst of waking up (S9, S11, X3): push, expiry, halves of a resumption. */
import type { Mutant } from '../mutant.ts';

export const sleeping: readonly Mutant[] = [
  {
    name: 'a session that hibernates stays connected to the server',
    file: 'runtime/session-legs.ts',
    find: '    this.server.handler = SILENT;\n    this.server.destroy();\n  }\n\n  /** The stream',
    put: '    this.server.handler = SILENT;\n  }\n\n  /** The stream',
    kills: { push: ['S9 a device is pushed for', 'S9 a device alone'], 'resume-expiry': ['L3', 'S9'] },
  },
  {
    name: 'the stream of a client that has logged out stays',
    file: 'runtime/session-ends.ts',
    find: '    else if (this.#isOrderly || legs.isOwn || parking.isTaken) legs.server.end();\n',
    put: '    else if (this.#isOrderly || legs.isOwn || parking.isTaken) return;\n',
    kills: { push: ['S9 an account with no device'] },
  },
  {
    name: 'nobody is told of what rooms say by another stream',
    file: 'core/nudge.ts',
    find: '  if (!state.hasPush) return;\n',
    put: '  if (state.hasPush) return;\n',
    kills: { push: ['S9 a device whose place'] },
  },
  {
    name: 'a nudge is shown to clients',
    file: 'runtime/session-routes.ts',
    find: "  if (isNudge(stanza, account)) return 'nudge';\n",
    put: '',
    cells: 'ejabberd,borrowed,tcp',
    kills: { push: ['S9 a device whose place', 'S9 what was to wake'] },
  },
  {
    name: 'a nudge that comes before the server knows of the sleep is acknowledged',
    file: 'runtime/session.ts',
    find: "      if (route === 'nudge' && this.#legs.isHibernating) this.#legs.leaveUnsafe('server');\n",
    put: '',
    cells: 'ejabberd,account,tcp',
    kills: { 'push-nodes': ['S9 a device whose node learns late'] },
  },
  {
    name: 'what the account has taken is not acknowledged when the connection is dropped',
    file: 'runtime/session-legs.ts',
    find: '    if (this.#managed?.isEnabled) this.#managed.management.settleWithServer();\n',
    put: '',
    kills: { push: ['S9 a device whose place'] },
  },
  {
    name: 'a resumption that may have been granted is closed with its connection',
    file: 'stream/negotiation/state.ts',
    find: "state.phase === 'resuming' ? 'drop' : 'end'",
    put: "state.phase === 'over' ? 'drop' : 'end'",
    kills: { 'resume-halfway': ["S9 the client's connection breaks between <resume/>"] },
  },
  {
    name: 'a session can be asked for once',
    file: 'runtime/session-hibernation.ts',
    find: '    if (this.#sleeper.isOver() || this.#sleeper.legs.isOwn) return undefined;\n',
    put: '    if (this.#sleeper.isOver() || this.#sleeper.legs.isOwn || this.#attempts > 0) return undefined;\n',
    kills: { 'resume-halfway': ["S9 the server's connection breaks between <resume/>"] },
  },
  {
    name: 'a session hibernates before the server has said that it may',
    file: 'runtime/session-legs.ts',
    find: '    return this.#managed?.isEnabled ? this.#managed.resumableMs : undefined;\n',
    put: '    return this.#managed ? (this.#managed.resumableMs ?? 60_000) : undefined;\n',
    kills: {
      'resume-halfway': [
        "S9 the client's connection breaks between <enable/>",
        "S9 the server's connection breaks between <enable/>",
      ],
    },
  },
  {
    name: 'a client that answers no more is there for all that',
    file: 'net/tcp-leg.ts',
    find: '    this.checkSilence(now);\n',
    put: '',
    kills: { 'resume-slow': ['S11'] },
  },
  {
    name: 'what a client had been sent of a room when it went is not told of',
    file: 'core/rules/hibernation.ts',
    find: '  oweNudge(session, unheard);\n',
    put: '',
    kills: {
      'resume-slow': ['S11 a device that answers no more is taken for asleep, and the server pushes for what a room'],
    },
  },
];
