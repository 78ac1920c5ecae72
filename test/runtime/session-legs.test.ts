/** What comes on a connection that another has taken over changes nothing of a session's stream management (S9). */
import { type Leg, type LegHandler, SILENT } from '../../proxy/net/leg.ts';
import { SessionLegs } from '../../proxy/runtime/session-legs.ts';
import { USUAL_DECLARATIONS } from '../../proxy/xml/declarations.ts';
import { NS } from '../../proxy/xml/names.ts';
import { parseStanza, type Stanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('the connections of a session');
const SM = `xmlns='${NS.sm3}'`;

class FakeLeg {
  readonly declared = USUAL_DECLARATIONS;
  readonly congested = false;
  readonly sent: string[] = [];
  handler: LegHandler = SILENT;

  send(xml: string | Buffer): void {
    this.sent.push(xml.toString());
  }

  forward(stanza: Stanza): void {
    this.send(Buffer.from(stanza.bytes));
  }
}

function begun() {
  const [client, server] = [new FakeLeg(), new FakeLeg()];
  const legs = new SessionLegs(client as unknown as Leg, server as unknown as Leg);
  const from = (side: 'client' | 'server', xml: string) => legs.manage(side, parseStanza(Buffer.from(xml)));
  from('client', `<enable ${SM} resume='true'/>`);
  return { client, server, legs, from };
}

test('S9 a refusal of what came late on a connection that was taken over is none of the session', () => {
  const { client, legs, from } = begun();
  from('server', `<enabled ${SM} resume='true' id='previd' max='300'/>`);
  assert.is(
    from('server', `<failed ${SM}><unexpected-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>`),
    'unexpected',
  );
  assert.is(legs.previd, 'previd');
  assert.is(client.sent.length, 1);
});

test("S9 a refusal of the client's <enable/> is passed on, and it may ask again", () => {
  const { client, legs, from } = begun();
  assert.is(from('server', `<failed ${SM}/>`), 'done');
  assert.match(client.sent.join(), '<failed');
  assert.is(legs.managed, undefined);
  assert.is(from('client', `<enable ${SM}/>`), 'done');
});

test.run();
