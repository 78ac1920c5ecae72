/**
 * How long an account stays in its rooms with no session at all (L3), or is remembered for messages that are kept, and its end.
 */
import type { Turn } from '../state.ts';
import { leaveRoom } from './leave.ts';
import { endAllOverdue } from './overdue.ts';

/** To be called after each input: starts or ends the wait, and gives the account up when nothing is left of it. */
export function settleAccount(turn: Turn): void {
  const { state, out } = turn;
  if (state.sessions.size > 0) return;
  const rooms = [...state.rooms.values()].filter((room) => room.phase !== 'ended');
  if (rooms.length > 0) {
    // A join that was under way when the time was over is complete by now.
    if (state.lingering === 'over') lingerOver(turn);
    if (state.lingering !== 'no') return;
    state.lingering = 'running';
    if (state.settings.lingerMs === 0) lingerOver(turn);
    else if (Number.isFinite(state.settings.lingerMs)) out.setTimer('linger', state.settings.lingerMs);
    return;
  }
  if (state.accountStream !== 'off') {
    state.accountStream = 'off';
    out.clearTimer('reopen');
    out.push({ kind: 'close-account-stream' });
    for (const carrier of [...state.carriers.values()]) {
      if (carrier.kind !== 'account-stream') continue;
      endAllOverdue(turn, carrier);
      state.carriers.delete(carrier.id);
    }
  }
  if (state.carriers.size > 0) return;
  if (state.kept.length > 0) {
    // As long as M6 has it for rooms; what is kept is handed to the next session.
    if (Number.isFinite(state.settings.historyAgeMs)) out.setTimer('kept', state.settings.historyAgeMs);
    return;
  }
  for (const room of state.rooms.values()) out.clearTimer(`ended ${room.key}`);
  state.rooms.clear();
  out.push({ kind: 'idle' });
}

/** Nobody came back in time: the account leaves its rooms. */
export function lingerOver(turn: Turn): void {
  if (turn.state.sessions.size > 0) return;
  turn.state.lingering = 'over';
  for (const room of [...turn.state.rooms.values()]) {
    if (room.phase === 'joined') leaveRoom(turn, room);
  }
}
