/** What is sealed in the store, and what nodes do with accounts that have lost theirs (C2, C4, L3, X4). */
import type { Mutant } from '../mutant.ts';

const cells = 'prosody,account,tcp';

export const sealed: readonly Mutant[] = [
  {
    name: 'nobody looks for accounts that have lost their node',
    file: 'runtime/cluster/cluster.ts',
    find: '    void this.#orphans.look();\n',
    put: '',
    cells,
    // Each of the others that need it takes half a minute to fail.
    kills: { sealed: ['C2 SIGKILL of the home', 'C2 SIGKILL of the only'] },
  },
  {
    name: 'a node that cleans up behind a dead one ends the rooms of accounts that another could take up',
    file: 'runtime/cluster/clean-up.ts',
    find: '    if (occupancies.length > 0 && (await vault.orphan(account, deadMs))) continue;\n',
    put: '',
    cells,
    kills: { sealed: ['C2 SIGKILL of the home', 'C2 SIGKILL of the only'] },
  },
  {
    name: 'a node that stops leaves its accounts to nobody',
    file: 'runtime/cluster/cluster.ts',
    find: 'if (await this.#store.vault.orphan(bare, 0)) ',
    put: '',
    cells,
    kills: { sealed: ['C4 SIGTERM of the only'] },
  },
  {
    name: 'a node that stops gives its accounts to nobody before',
    file: 'runtime/cluster/cluster.ts',
    find: '    await bequeathAll(this.#accounts.values(), { node: this.node, vault, log }, end);\n',
    put: '',
    cells,
    kills: { sealed: ['C4 SIGTERM of the home'] },
  },
  {
    name: 'the password of a room is not kept',
    file: 'runtime/membership-recorder.ts',
    find: 'this.#sealing?.sealRoom(account, room, password);\n',
    put: 'undefined;\n',
    cells,
    kills: { sealed: ['J8'] },
  },
  {
    name: 'a text that another key has sealed counts as not there',
    file: 'store/seal.ts',
    find: "    if (!key) return { result: 'unknown-key' };\n",
    put: "    if (!key) return { result: 'broken' };\n",
    cells,
    kills: { sealed: ['X4 with another key'] },
  },
  {
    name: 'a password that the server refuses stays in the store',
    file: 'runtime/account-stream-keeper.ts',
    find: '    if (isRefused) this.#deleteSealed();\n',
    put: '',
    cells,
    kills: { sealed: ['X4 a password that the server refuses'] },
  },
  {
    name: 'an account that nobody can bring back stays in its rooms, as far as it knows',
    file: 'core/rules/carrier-events.ts',
    find: '  if (isFinal && state.sessions.size === 0 && state.carriers.size === 0) giveUpRooms(turn);\n',
    put: '',
    cells,
    kills: { sealed: ['X4 a password that the server refuses'] },
  },
  {
    name: 'what was sealed for one account opens for another',
    file: 'store/seal.ts',
    find: '  return Buffer.from(JSON.stringify([VERSION, id, purpose, account]));\n',
    put: '  return Buffer.from(JSON.stringify([VERSION, id, purpose, account.length > 0]));\n',
    cells,
    kills: { sealed: ['X4 what was tampered with'] },
  },
  {
    name: 'the time without devices begins anew with a new home',
    file: 'runtime/cluster/orphans.ts',
    find: '    const lingerMs = config.lingerMs - aloneMs;\n',
    put: '    const lingerMs = config.lingerMs - 0 * aloneMs;\n',
    cells,
    kills: { sealed: ['L3'] },
  },
  {
    name: 'a sealed text stays when the account has left its last room',
    file: 'store/scripts/deposit.lua',
    find: "    redis.call('HDEL', KEYS[1], 'deposit', 'alone')\n",
    put: '',
    cells,
    kills: { sealed: ['X4 without a key'] },
  },
  {
    name: 'a home is given up before what it has written is done',
    file: 'store/redis-homes.ts',
    find: 'await turns.run(account, () => fenced(account, fence, scripts.release, []));\n',
    put: 'await fenced(account, fence, scripts.release, []);\n',
    cells,
    kills: { sealed: ['X4 a password that the server refuses'] },
  },
];
