/** The queue of an account: what goes wrong in it stays there. */
import { Services } from '../../proxy/core/services.ts';
import type { CarrierId, SessionId } from '../../proxy/core/state.ts';
import type { Leg } from '../../proxy/net/leg.ts';
import { captureLog } from '../../proxy/ops/log.ts';
import { createMetrics } from '../../proxy/ops/metrics.ts';
import { AccountRunner } from '../../proxy/runtime/account-runner.ts';
import type { AccountDeps } from '../../proxy/runtime/deps.ts';
import { Outlet } from '../../proxy/runtime/outlet.ts';
import type { CarrierPort, SessionPort } from '../../proxy/runtime/ports.ts';
import { USUAL_DECLARATIONS } from '../../proxy/xml/declarations.ts';
import { NS } from '../../proxy/xml/names.ts';
import { parseStanza, type Stanza } from '../../proxy/xml/stanza.ts';
import { BARE, ROOM, settings } from '../core/world.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('the runner of an account');

const session = 's1' as SessionId;
const carrier = 'c1' as CarrierId;

function stage() {
  const log = captureLog();
  const sent: string[] = [];
  const leg = {
    congested: false,
    declared: USUAL_DECLARATIONS,
    send: (xml: string | Buffer) => void sent.push(xml.toString()),
    forward: (stanza: Stanza) => void sent.push(`around the lanes: ${stanza}`),
  };
  const rests: string[] = [];
  const port: CarrierPort = {
    outlet: new Outlet(leg as unknown as Leg),
    wake: () => {},
    relayDownstream: () => {},
    hold: () => {},
    free: () => {},
  } as unknown as CarrierPort;
  const device = {
    id: session,
    jid: `${BARE}/phone`,
    client: { declared: USUAL_DECLARATIONS, write: () => {}, send: () => {}, forward: () => {} } as unknown as Leg,
    relayUpstream: () => {},
    rest: () => void rests.push('rest'),
    resume: () => void rests.push('resume'),
  } as unknown as SessionPort;
  const store = { addSession: () => {}, join: () => {}, setOccupancy: () => {} };
  const deps = { log, metrics: createMetrics(), store, now: () => 1_700_000_000_000, token: () => 'token' };
  const runner = new AccountRunner(
    BARE,
    settings,
    { ...deps, services: new Services() } as unknown as AccountDeps,
    () => {},
  );
  runner.addSession(device, carrier, port);
  const say = (stanza: Stanza) => runner.input({ kind: 'session-stanza', session, stanza });
  const hear = (xml: string) => runner.input({ kind: 'carrier-stanza', carrier, stanza: parseStanza(xml) });
  return { runner, log, sent, rests, leg, port, say, hear };
}

test('a fault in a rule costs the input alone: what comes next is handled, and the log has it', (t) => {
  const { runner, log, sent, say } = stage();
  t.after(() => runner.close());
  const bad = parseStanza(`<presence to='${ROOM}/al'/>`);
  Object.defineProperty(bad, 'to', {
    get() {
      throw new Error('a fault');
    },
  });
  say(bad);
  assert.is(log.lines.filter(({ level }) => level === 'error').length, 1);
  say(parseStanza(`<presence id='j' to='${ROOM}/al'><x xmlns='${NS.muc}'/></presence>`));
  assert.match(sent[0] ?? '', "id='j'");
});

test('a device cannot get around its lane by prefixes that only its stream header declares', (t) => {
  const { runner, sent, rests, leg, port, say, hear } = stage();
  t.after(() => runner.close());
  say(parseStanza(`<presence id='j' to='${ROOM}/al'><x xmlns='${NS.muc}'/></presence>`));
  const fence = /<iq [^>]*id='([^']*)'/.exec(sent[1] ?? '')?.[1];
  const x = `<x xmlns='${NS.mucUser}'><item affiliation='none' role='participant'/><status code='110'/></x>`;
  hear(`<presence id='j' from='${ROOM}/al' to='${BARE}/phone'>${x}</presence>`);
  hear(`<iq type='result' id='${fence}' from='${ROOM}' to='${BARE}/phone'/>`);
  sent.length = 0;
  leg.congested = true;
  const declarations = new Map([...USUAL_DECLARATIONS, ['odd', 'urn:odd']]);
  const body = 'x'.repeat(1000);
  for (let k = 0; k < 100; k++) {
    say(parseStanza(`<message type='groupchat' id='${k}' to='${ROOM}'><odd:a>${body}</odd:a></message>`, declarations));
  }
  assert.equal(sent, []);
  assert.equal(rests, ['rest']);
  leg.congested = false;
  port.outlet.drain();
  assert.is(sent.length, 100);
  assert.match(sent[0] ?? '', "xmlns:odd='urn:odd'");
  assert.equal(rests, ['rest', 'resume']);
});

test.run();
