import type { BoundSession } from '../../proxy/runtime/bound-session.ts';
import { NS } from '../../proxy/xml/names.ts';
import { connect } from '../support/client.ts';
import { startFakeServer } from '../support/fake-server.ts';
import { assert, suite, type TestContext } from '../support/suite.ts';
import { recorder, relayTo, type Speaker, Stage, type StageOptions } from './scripted.ts';

const test = suite('negotiation over sockets');

const header = (attributes: string) =>
  `<?xml version='1.0'?><stream:stream xmlns='${NS.client}' xmlns:stream='${NS.streams}' ${attributes}>`;
const hello = header("to='localhost' version='1.0'");
const welcome = (id: string) => header(`from='localhost' id='${id}' version='1.0'`);
const mechanisms = (...names: string[]) =>
  `<mechanisms xmlns='${NS.sasl}'>${names.map((name) => `<mechanism>${name}</mechanism>`).join('')}</mechanisms>`;
const features = (inner: string) => `<stream:features>${inner}</stream:features>`;
const before = features(mechanisms('SCRAM-SHA-1', 'PLAIN'));
const after = features(`<bind xmlns='${NS.bind}'/>`);
const auth = (mechanism: string, text?: string) =>
  `<auth xmlns='${NS.sasl}' mechanism='${mechanism}'>${text === undefined ? '' : Buffer.from(text).toString('base64')}</auth>`;
const plain = auth('PLAIN', '\0alice\0secret');
const success = `<success xmlns='${NS.sasl}'/>`;
const failure = (condition: string) => `<failure xmlns='${NS.sasl}'><${condition}/></failure>`;
const bind = (resource = 'phone', id = 'b1') =>
  `<iq type='set' id='${id}'><bind xmlns='${NS.bind}'><resource>${resource}</resource></bind></iq>`;
const bound = (jid = 'alice@localhost/phone', id = 'b1') =>
  `<iq type='result' id='${id}'><bind xmlns='${NS.bind}'><jid>${jid}</jid></bind></iq>`;
const streamError = (condition: string) => `<stream:error><${condition} xmlns='${NS.streamErrors}'`;

interface Cast {
  stage: Stage;
  client: Speaker;
  server: Speaker;
}

/** Up to the features before authentication. */
async function opened(context: TestContext, options: StageOptions = {}, offered = before): Promise<Cast> {
  const stage = await Stage.open(context, options);
  const client = await stage.client();
  client.send(hello);
  const server = await stage.server();
  await server.hear("version='1.0'>");
  server.send(welcome('s1') + offered);
  await client.hear('</stream:features>');
  return { stage, client, server };
}

/** Up to the features after authentication. */
async function authenticated(context: TestContext, options: StageOptions = {}, offered = after): Promise<Cast> {
  const cast = await opened(context, options);
  const { client, server } = cast;
  client.send(plain);
  await server.hear(plain);
  server.send(success);
  await client.hear(success);
  client.send(hello);
  await server.hear("version='1.0'>");
  server.send(welcome('s2') + offered);
  await client.hear('</stream:features>');
  return cast;
}

async function until(condition: () => boolean): Promise<void> {
  const limit = Date.now() + 2_000;
  while (!condition()) {
    if (Date.now() > limit) throw new Error('has not come true');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** The legs of the only bound session, recorded and let go. */
function take({ stage }: Cast) {
  const records: { session: BoundSession; up: string[]; down: string[] }[] = [];
  stage.onBound = (session) => {
    const client = recorder();
    const server = recorder();
    session.client.handler = client;
    session.server.handler = server;
    records.push({ session, up: client.heard, down: server.heard });
    session.client.release();
    session.server.release();
  };
  return async () => {
    await until(() => records.length > 0);
    return records[0] as (typeof records)[0];
  };
}

test('PLAIN: from the first header to a bound session, with the password, each byte as it was sent', async (context) => {
  const stage = await Stage.open(context);
  const client = await stage.client();
  client.send(header("to='localhost' version='1.0' xml:lang='de' from='alice@localhost' xmlns:x='urn:x'"));
  const server = await stage.server();
  assert.match(
    await server.hear("xml:lang='de'>"),
    /xmlns:x='urn:x' to='localhost' from='alice@localhost' version='1.0'/,
  );
  server.send(header("from='localhost' id='s&apos;1' version='1.0' xml:lang='en' xmlns:ack='urn:ack'"));
  assert.match(await client.hear("xml:lang='en'>"), /xmlns:ack='urn:ack' .*id='s&apos;1'/);
  server.send(features(`<ack:ack/>${mechanisms('PLAIN')}`));
  assert.is(await client.hear('</stream:features>'), features(`<ack:ack/>${mechanisms('PLAIN')}`));
  client.send(plain);
  await server.hear(plain);
  server.send(success);
  assert.is(await client.hear(success), success);
  client.send(hello);
  assert.match(await server.hear("version='1.0'>"), /^<\?xml version='1.0'\?><stream:stream /);
  server.send(welcome('s2') + after);
  assert.match(await client.hear(after), /id='s2'/);
  const taken = take({ stage, client, server });
  client.send(bind());
  assert.is(await server.hear('</iq>'), bind());
  server.send(bound());
  assert.is(await client.hear('</iq>'), bound());
  const { session } = await taken();
  assert.is(session.jid, 'alice@localhost/phone');
  assert.is(session.mechanism, 'PLAIN');
  assert.equal(session.password, { username: 'alice', secret: 'secret' });
  assert.is(session.host.name, 'localhost');
  assert.ok(session.features.namespaces.has(NS.bind));
  assert.is(session.serverHeader.attributes.get('id'), 's2');
});

test('stanzas behind the bind request and behind its result go to the new owner, in order', async (context) => {
  const cast = await authenticated(context);
  const { client, server } = cast;
  const taken = take(cast);
  client.send(`${bind()}<presence/><message id='1'/>`);
  await server.hear(bind());
  server.send(`<message id='early'/>${bound()}<message id='2'/><message id='3'/>`);
  await client.hear("<message id='early'/>");
  const { up, down } = await taken();
  await until(() => up.length === 2 && down.length === 2);
  assert.equal(up, ['<presence/>', "<message id='1'/>"]);
  assert.equal(down, ["<message id='2'/>", "<message id='3'/>"]);
  assert.is(server.rest, '');
});

test('nothing is emitted before the new owner lets both legs go', async (context) => {
  const { stage, client, server } = await authenticated(context);
  const ears = [recorder(), recorder()] as const;
  stage.onBound = (session) => {
    session.client.handler = ears[0];
    session.server.handler = ears[1];
  };
  client.send(`${bind()}<presence/>`);
  await server.hear(bind());
  server.send(`${bound()}<message/>`);
  await client.hear(bound());
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal([ears[0].heard, ears[1].heard], [[], []]);
  stage.bound[0]?.server.release();
  stage.bound[0]?.client.release();
  assert.equal([ears[0].heard, ears[1].heard], [['<presence/>'], ['<message/>']]);
});

test('a client that sends all at once is served as one that waits', async (context) => {
  const stage = await Stage.open(context);
  const client = await stage.client();
  client.send(`${hello + plain + hello + bind()}<presence/>`);
  const server = await stage.server();
  await server.hear("version='1.0'>");
  const taken = take({ stage, client, server });
  server.send(welcome('s1') + before);
  assert.is(await server.hear('</auth>'), plain);
  server.send(success);
  await server.hear("version='1.0'>");
  server.send(welcome('s2') + after);
  assert.is(await server.hear('</iq>'), bind());
  server.send(bound());
  const { up } = await taken();
  assert.equal(up, ['<presence/>']);
});

test('challenges and responses pass until success, and a password is not known then', async (context) => {
  const cast = await opened(context);
  const { client, server } = cast;
  const steps = [auth('SCRAM-SHA-1', 'n,,n=alice,r=abc'), `<response xmlns='${NS.sasl}'>Yz1iaXdz</response>`];
  client.send(steps.join(''));
  assert.is(await server.hear('</auth>'), steps[0]);
  assert.is(server.rest, '');
  server.send(`<challenge xmlns='${NS.sasl}'>cj1hYmM=</challenge>`);
  assert.is(await server.hear('</response>'), steps[1]);
  server.send(`<success xmlns='${NS.sasl}'>dj1hYmM=</success>`);
  assert.match(
    await client.hear('</success>'),
    /<challenge [^>]*>cj1hYmM=<\/challenge><success [^>]*>dj1hYmM=<\/success>$/,
  );
  client.send(hello);
  await server.hear("version='1.0'>");
  server.send(welcome('s2') + after);
  const taken = take(cast);
  client.send(bind());
  await server.hear(bind());
  server.send(bound());
  const { session } = await taken();
  assert.is(session.mechanism, 'SCRAM-SHA-1');
  assert.is(session.password, undefined);
});

test('a failure passes, another attempt follows, and the password that was refused is not kept', async (context) => {
  const cast = await opened(context);
  const { client, server, stage } = cast;
  client.send(auth('PLAIN', '\0alice\0wrong'));
  await server.hear('</auth>');
  server.send(failure('not-authorized'));
  assert.is(await client.hear('</failure>'), failure('not-authorized'));
  client.send(auth('EXTERNAL', 'alice'));
  assert.is(await client.hear('</failure>'), failure('invalid-mechanism'));
  client.send(plain);
  await server.hear(plain);
  server.send(success);
  await client.hear(success);
  assert.ok(!JSON.stringify(stage.log.lines).includes('wrong'));
});

test('the twentieth failure in a row ends both streams', async (context) => {
  const { client, server } = await opened(context);
  for (let attempt = 0; attempt < 20; attempt++) {
    client.send(plain);
    await server.hear(plain);
    server.send(failure('not-authorized'));
    await client.hear(failure('not-authorized'));
  }
  assert.match(await client.hearEnd(), new RegExp(streamError('policy-violation')));
  assert.is(await server.hearEnd(), '</stream:stream>');
});

test('a foreign authorisation identity never reaches the server', async (context) => {
  const { client, server } = await opened(context);
  client.send(auth('PLAIN', 'bob@localhost\0alice\0secret'));
  assert.is(await client.hear('</failure>'), failure('invalid-authzid'));
  client.send(auth('SCRAM-SHA-1', 'n,a=bob,n=alice,r=abc'));
  assert.is(await client.hear('</failure>'), failure('invalid-authzid'));
  client.send(plain);
  assert.is(await server.hear('</auth>'), plain);
});

test('refused in the middle of an exchange: the server gets an abort, the client our reason', async (context) => {
  const { client, server } = await opened(context);
  client.send(auth('PLAIN'));
  await server.hear('</auth>');
  server.send(`<challenge xmlns='${NS.sasl}'/>`);
  await client.hear(`<challenge xmlns='${NS.sasl}'/>`);
  client.send(
    `<response xmlns='${NS.sasl}'>${Buffer.from('bob\0alice\0secret').toString('base64')}</response>${plain}`,
  );
  assert.is(await server.hear('/>'), `<abort xmlns='${NS.sasl}'/>`);
  assert.is(server.rest, '');
  server.send(failure('aborted'));
  assert.is(await client.hear('</failure>'), failure('invalid-authzid'));
  assert.is(await server.hear('</auth>'), plain);
});

test('SASL elements out of turn are answered here', async (context) => {
  const { client, server } = await opened(context);
  client.send(`<abort xmlns='${NS.sasl}'/>`);
  assert.is(await client.hear('</failure>'), failure('aborted'));
  client.send(`<response xmlns='${NS.sasl}'/>`);
  assert.is(await client.hear('</failure>'), failure('malformed-request'));
  client.send(auth('PLAIN'));
  await server.hear('</auth>');
  server.send(`<challenge xmlns='${NS.sasl}'/>`);
  client.send(auth('SCRAM-SHA-1'));
  assert.is(await server.hear('/>'), `<abort xmlns='${NS.sasl}'/>`);
});

test('registration before authentication is between client and server', async (context) => {
  const { client, server } = await opened(context);
  const request = `<iq type='get' id='r'><query xmlns='jabber:iq:register'/></iq>`;
  client.send(request);
  assert.is(await server.hear('</iq>'), request);
  const answer = `<iq type='result' id='r'><query xmlns='jabber:iq:register'><username/></query></iq>`;
  server.send(answer);
  assert.is(await client.hear('</iq>'), answer);
});

const guarded: [string, string, string][] = [
  [
    'SASL2',
    `<authenticate xmlns='${NS.sasl2}' mechanism='PLAIN'/>`,
    `<failure xmlns='${NS.sasl2}'><invalid-mechanism xmlns='${NS.sasl}'/></failure>`,
  ],
  [
    'compression',
    `<compress xmlns='${NS.compress}'><method>zlib</method></compress>`,
    `<failure xmlns='${NS.compress}'><unsupported-method/></failure>`,
  ],
  [
    'a resumption',
    `<resume xmlns='${NS.sm3}' previd='x' h='0'/>`,
    `<failed xmlns='${NS.sm3}'><item-not-found xmlns='${NS.stanzaErrors}'/></failed>`,
  ],
];

for (const [what, request, answer] of guarded) {
  test(`${what} is refused here`, async (context) => {
    const { client, server } = await authenticated(context);
    client.send(`${request}<iq id='x'/>`);
    assert.is(await client.hear(answer), answer);
    assert.is(await server.hear('/>'), "<iq id='x'/>");
  });
}

test('an untrusted connection gets nothing but STARTTLS, and no connection to the server', async (context) => {
  const stage = await Stage.open(context, { listener: { tls: 'starttls', trusted: false } });
  const client = await stage.client();
  client.send(hello);
  const offered = features(`<starttls xmlns='${NS.tls}'><required/></starttls>`);
  assert.match(await client.hear(offered), /id='our-id'/);
  client.send(plain);
  assert.is(await client.hear('</failure>'), failure('encryption-required'));
  client.send(`<iq type='get' id='l'><query xmlns='${NS.iqAuth}'/></iq>`);
  assert.match(await client.hear('</iq>'), /not-acceptable/);
  assert.is(stage.waiting, 0);
  client.send(`<starttls xmlns='${NS.tls}'/>`);
  assert.is(await client.hear('/>'), `<proceed xmlns='${NS.tls}'/>`);
  await client.startTls();
  client.send(hello);
  const server = await stage.server();
  await server.hear("version='1.0'>");
  server.send(welcome('s1') + features(`<starttls xmlns='${NS.tls}'/>${mechanisms('PLAIN', 'SCRAM-SHA-1-PLUS')}`));
  assert.is((await client.hear('</stream:features>')).split('>').slice(2).join('>'), features(mechanisms('PLAIN')));
  client.send(plain);
  assert.is(await server.hear('</auth>'), plain);
});

test('another request than STARTTLS ends the untrusted stream', async (context) => {
  const stage = await Stage.open(context, { listener: { tls: 'starttls', trusted: false } });
  const client = await stage.client();
  client.send(`${hello}<presence/>`);
  assert.match(await client.hearEnd(), new RegExp(streamError('policy-violation')));
});

test('bytes sent behind STARTTLS do not count as sent inside TLS', async (context) => {
  const stage = await Stage.open(context, { listener: { tls: 'starttls', trusted: false } });
  const client = await stage.client();
  client.send(hello);
  await client.hear('</stream:features>');
  client.send(`<starttls xmlns='${NS.tls}'/>${hello}${plain}`);
  await client.hearEnd();
  assert.is(stage.waiting, 0);
  await until(() => stage.over.length === 1);
});

test('on a trusted listener STARTTLS is an offer beside the others; taken, all begins anew', async (context) => {
  const { stage, client, server } = await opened(context, { listener: { tls: 'starttls', trusted: true } });
  client.send(`<starttls xmlns='${NS.tls}'/>`);
  await client.hear(`<proceed xmlns='${NS.tls}'/>`);
  assert.is(await server.hearEnd(), '</stream:stream>');
  await client.startTls();
  client.send(hello);
  const second = await stage.server();
  await second.hear("version='1.0'>");
  second.send(welcome('s2') + before);
  assert.is((await client.hear('</stream:features>')).split('>').slice(2).join('>'), before);
});

test('without TLS in sight, what shows a password is neither offered nor passed', async (context) => {
  const iqAuth = `<auth xmlns='${NS.iqAuthFeature}'/>`;
  const stage = await Stage.open(context, { listener: { tls: 'none', trusted: false } });
  const client = await stage.client();
  client.send(hello);
  const server = await stage.server();
  await server.hear("version='1.0'>");
  server.send(welcome('s1') + features(mechanisms('SCRAM-SHA-1', 'PLAIN') + iqAuth));
  assert.match(await client.hear('</stream:features>'), new RegExp(`${features(mechanisms('SCRAM-SHA-1'))}$`));
  client.send(plain);
  assert.is(await client.hear('</failure>'), failure('encryption-required'));
  client.send(`<iq type='set' id='l'><query xmlns='${NS.iqAuth}'><username>alice</username></query></iq>`);
  assert.match(await client.hear('</iq>'), /not-acceptable/);
  assert.is(server.rest, '');
});

test('STARTTLS where there is none ends the stream', async (context) => {
  const { client } = await opened(context);
  client.send(`<starttls xmlns='${NS.tls}'/>`);
  assert.is(await client.hearEnd(), `<failure xmlns='${NS.tls}'/></stream:stream>`);
});

const login = (proof: string, resource = 'old') =>
  `<iq type='set' id='l'><query xmlns='${NS.iqAuth}'><username>Alice</username>${proof}<resource>${resource}</resource></query></iq>`;

test('legacy authentication binds; a client without a version is passed on as one, without features', async (context) => {
  const stage = await Stage.open(context);
  const client = await stage.client();
  client.send(header("to='localhost'"));
  const server = await stage.server();
  assert.ok(!(await server.hear("to='localhost'>")).includes("' version="));
  server.send(header("from='localhost' id='digest-me'"));
  assert.match(await client.hear("'>"), /id='digest-me'/);
  const taken = take({ stage, client, server });
  client.send(`${login('<password>se&amp;cret</password>')}<presence/>`);
  assert.is(await server.hear('</iq>'), login('<password>se&amp;cret</password>'));
  server.send("<iq type='result' id='l'/>");
  const { session, up } = await taken();
  assert.is(session.jid, 'alice@localhost/old');
  assert.is(session.mechanism, NS.iqAuth);
  assert.equal(session.password, { username: 'Alice', secret: 'se&cret' });
  assert.equal(up, ['<presence/>']);
});

test('a legacy login that is refused may be tried again; a digest leaves no password', async (context) => {
  const cast = await opened(context);
  const { client, server } = cast;
  const taken = take(cast);
  client.send(login('<password>wrong</password>'));
  await server.hear('</iq>');
  server.send("<iq type='error' id='l'><error code='401'/></iq>");
  await client.hear('</iq>');
  client.send(login('<digest>abc</digest>'));
  await server.hear('</iq>');
  server.send("<iq type='result' id='l'/>");
  assert.is((await taken()).session.password, undefined);
});

const badLogins: [string, string][] = [
  ['a user name with an @', '<username>bob@localhost/x</username><resource>r</resource>'],
  ['two user names', '<username>alice</username><username>bob</username><resource>r</resource>'],
  ['no resource', '<username>alice</username>'],
  // The answer does not say who it is: another server's straße is another server's strasse.
  ['a user name that is another one at some servers', '<username>straße</username><resource>r</resource>'],
];

for (const [what, fields] of badLogins) {
  test(`a legacy login with ${what} does not reach the server`, async (context) => {
    const { client, server } = await opened(context);
    client.send(`<iq type='set' id='l'><query xmlns='${NS.iqAuth}'>${fields}<password>x</password></query></iq>`);
    assert.match(await client.hear('</iq>'), /not-acceptable/);
    assert.is(server.rest, '');
  });
}

test('plain-only: PLAIN alone, and no digest', async (context) => {
  const { client, server } = await opened(context, { saslMode: 'plain-only' });
  client.send(auth('SCRAM-SHA-1', 'n,,n=alice,r=abc'));
  assert.is(await client.hear('</failure>'), failure('invalid-mechanism'));
  client.send(`<iq type='get' id='g'><query xmlns='${NS.iqAuth}'/></iq>`);
  await server.hear('</iq>');
  server.send(`<iq type='result' id='g'><query xmlns='${NS.iqAuth}'><password/><digest/></query></iq>`);
  assert.is(
    await client.hear('</iq>'),
    `<iq type='result' id='g'><query xmlns='${NS.iqAuth}'><password/></query></iq>`,
  );
  client.send(login('<digest>abc</digest>'));
  assert.match(await client.hear('</iq>'), /not-acceptable/);
});

test('another resource may be asked for; the client sees what the server bound', async (context) => {
  const asked: unknown[] = [];
  const deps = {
    resourceFor: (request: unknown) => {
      asked.push(request);
      return 'a<b';
    },
  };
  const cast = await authenticated(context, { deps });
  const taken = take(cast);
  cast.client.send(bind());
  assert.is(await cast.server.hear('</iq>'), bind().replace('<resource>phone', `<resource xmlns='${NS.bind}'>a&lt;b`));
  cast.server.send(bound('alice@localhost/a&lt;b'));
  assert.is((await taken()).session.jid, 'alice@localhost/a<b');
  assert.equal(asked, [{ userHint: 'alice', domain: 'localhost', asked: 'phone' }]);
});

test("the session is who the server says, whatever the client's name was", async (context) => {
  const cast = await authenticated(context);
  const taken = take(cast);
  cast.client.send(bind());
  await cast.server.hear(bind());
  cast.server.send(bound('bob@localhost/x'));
  assert.is((await taken()).session.jid, 'bob@localhost/x');
});

test('a bind error passes, and another request may follow', async (context) => {
  const cast = await authenticated(context);
  const { client, server } = cast;
  client.send(bind());
  await server.hear(bind());
  const error = "<iq type='error' id='b1'><error type='cancel'/></iq>";
  server.send(error);
  assert.is(await client.hear('</iq>'), error);
  const taken = take(cast);
  client.send(bind('other', 'b2'));
  await server.hear(bind('other', 'b2'));
  server.send(bound('alice@localhost/other', 'b2'));
  assert.is((await taken()).session.jid, 'alice@localhost/other');
});

test('a second authentication on the same stream is refused', async (context) => {
  const { client, server } = await authenticated(context);
  client.send(plain);
  assert.match(await client.hear('</failure>'), /malformed-request/);
  client.send(login('<password>x</password>'));
  assert.match(await client.hear('</iq>'), /not-acceptable/);
  assert.is(server.rest, '');
});

test('the stream after authentication must be for the same domain', async (context) => {
  const { client, server } = await opened(context, { hosts: ['localhost', 'other.example'] });
  client.send(plain);
  await server.hear(plain);
  server.send(success);
  await client.hear(success);
  client.send(header("to='other.example' version='1.0'"));
  assert.match(await client.hearEnd(), new RegExp(`^<\\?xml.*${streamError('policy-violation')}`));
});

const addresses: [string, string[], string, string][] = [
  ['an unknown domain', ['localhost'], "to='nowhere.example' version='1.0'", 'host-unknown'],
  ['no domain where there are several', ['a.example', 'b.example'], "version='1.0'", 'improper-addressing'],
];

for (const [what, hosts, attributes, condition] of addresses) {
  test(`${what}: a header, then ${condition}`, async (context) => {
    const stage = await Stage.open(context, { hosts });
    const client = await stage.client();
    client.send(header(attributes));
    assert.match(
      await client.hearEnd(),
      new RegExp(`^<\\?xml.*id='our-id'.*${streamError(condition)}.*</stream:stream>$`),
    );
    assert.is(stage.waiting, 0);
  });
}

test('no domain where there is only one: that one', async (context) => {
  const stage = await Stage.open(context);
  const client = await stage.client();
  client.send(header("version='1.0'"));
  assert.match(await (await stage.server()).hear("version='1.0'>"), /to='localhost'/);
});

test('a domain is found however it is written', async (context) => {
  const stage = await Stage.open(context);
  const client = await stage.client();
  client.send(header("to='LocalHost' version='1.0'"));
  assert.match(await (await stage.server()).hear("version='1.0'>"), /to='LocalHost'/);
});

test('nobody listens: remote-connection-failed', async (context) => {
  const stage = await Stage.open(context, { port: 1 });
  const client = await stage.client();
  client.send(hello);
  assert.match(await client.hearEnd(), new RegExp(`^<\\?xml.*${streamError('remote-connection-failed')}`));
});

const silences: [string, string][] = [
  ['says nothing', ''],
  ['sends a header and no features', welcome('s1')],
];

for (const [what, said] of silences) {
  test(`a server that takes the connection and ${what}: remote-connection-failed, in time`, async (context) => {
    const stage = await Stage.open(context, { deps: { openTimeoutMs: 50 } });
    const client = await stage.client();
    client.send(hello);
    const server = await stage.server();
    server.send(said);
    assert.match(await client.hearEnd(), new RegExp(streamError('remote-connection-failed')));
    await server.hearEnd();
  });
}

test('a server that closes before its header, or breaks off: remote-connection-failed', async (context) => {
  const stage = await Stage.open(context);
  const client = await stage.client();
  client.send(hello);
  const server = await stage.server();
  await server.hear('>');
  server.drop();
  assert.match(await client.hearEnd(), new RegExp(`^<\\?xml.*${streamError('remote-connection-failed')}`));
  const second = await opened(context);
  second.server.drop();
  assert.match(await second.client.hearEnd(), new RegExp(streamError('remote-connection-failed')));
});

test("the server's stream error crosses as it is", async (context) => {
  const { client, server, stage } = await opened(context);
  const error = `${streamError('host-gone')}/><text xmlns='${NS.streamErrors}'>moved</text></stream:error>`;
  server.send(`${error}</stream:stream>`);
  assert.is(await client.hearEnd(), `${error}</stream:stream>`);
  await server.hear('</stream:stream>');
  assert.equal(stage.over, ['stream error of the server']);
});

test("the client's stream error, and each side's close, cross", async (context) => {
  const first = await opened(context);
  first.client.send(`${streamError('reset')}/></stream:error>`);
  assert.match(await first.server.hearEnd(), new RegExp(`${streamError('reset')}/></stream:error></stream:stream>$`));
  const second = await opened(context);
  second.client.send('</stream:stream>');
  assert.is(await second.server.hearEnd(), '</stream:stream>');
  assert.is(await second.client.hearEnd(), '</stream:stream>');
  const third = await opened(context);
  third.server.send('</stream:stream>');
  assert.is(await third.client.hearEnd(), '</stream:stream>');
  const fourth = await opened(context);
  fourth.client.drop();
  await fourth.server.hearEnd();
});

test('bad XML of a client ends both streams with its condition, and does not reach the server', async (context) => {
  const { client, server } = await opened(context);
  client.send('<a><!-- no --></a>');
  assert.match(await client.hearEnd(), new RegExp(streamError('restricted-xml')));
  assert.match(await server.hearEnd(), new RegExp(`^${streamError('restricted-xml')}`));
});

test('before authentication stanzas are small, afterwards they are not', async (context) => {
  const big = `<iq type='set' id='big'>${' '.repeat(20_000)}</iq>`;
  const { client, server } = await authenticated(context);
  client.send(big);
  assert.is(await server.hear('</iq>'), big);
  const second = await opened(context);
  second.client.send(big);
  assert.match(await second.client.hearEnd(), /policy-violation.*stanza-too-big/);
});

test('whoever takes too long gets connection-timeout', async (context) => {
  const limits = { authTimeoutMs: 60 };
  const stage = await Stage.open(context, { limits });
  const idle = await stage.client();
  assert.match(await idle.hearEnd(), new RegExp(`^<\\?xml.*${streamError('connection-timeout')}`));
  const { client, server } = await opened(context, { limits });
  assert.match(await client.hearEnd(), new RegExp(streamError('connection-timeout')));
  await server.hearEnd();
});

test('a negotiation can be stopped', async (context) => {
  const { stage, client, server } = await opened(context);
  stage.negotiations[0]?.end({ condition: 'system-shutdown', text: 'Until later' });
  assert.match(await client.hearEnd(), new RegExp(streamError('system-shutdown')));
  await server.hearEnd();
  assert.equal(stage.over, ['stopped']);
});

test('once bound, the negotiation is out of it', async (context) => {
  const cast = await authenticated(context, { limits: { authTimeoutMs: 200 } });
  const taken = take(cast);
  cast.client.send(bind());
  await cast.server.hear(bind());
  cast.server.send(bound());
  const { session, up } = await taken();
  await cast.client.hear('</iq>');
  cast.stage.negotiations[0]?.end({ condition: 'system-shutdown', text: '' });
  await new Promise((resolve) => setTimeout(resolve, 250));
  cast.client.send('<presence/>');
  await until(() => up.length === 1);
  assert.is(session.client.isClosed, false);
  assert.is(cast.client.rest, '');
  assert.equal(cast.stage.over, []);
});

test('over WebSocket: no STARTTLS, each element stands alone, and the stream opens anew after success', async (context) => {
  const ack = "xmlns:ack='urn:ack'";
  const fake = await startFakeServer({
    headerAttributes: ack,
    firstFeatures: `<starttls xmlns='${NS.tls}'/><ack:ack/>`,
  });
  context.after(() => fake.stop());
  const stage = await Stage.open(context, { listener: { kind: 'websocket' }, port: fake.port });
  stage.onBound = ({ client, server }) => {
    client.handler = relayTo(server);
    server.handler = relayTo(client);
    client.release();
    server.release();
  };
  const client = await connect({ access: 'ws', port: stage.port });
  assert.equal(
    client.features.elements.map(({ name }) => name),
    ['ack', 'mechanisms'],
  );
  await client.login({ user: 'alice', resource: 'web' });
  assert.is(client.jid, 'alice@localhost/web');
  assert.is(stage.bound[0]?.jid, 'alice@localhost/web');
  await client.ping();
  const ending = await client.end();
  assert.ok(ending.isClean);
});

test('no password is ever logged', async (context) => {
  const { stage, client, server } = await opened(context);
  client.send(plain);
  await server.hear(plain);
  server.send(success);
  await client.hear(success);
  const text = JSON.stringify(stage.log.lines);
  assert.ok(!text.includes('secret'));
  assert.ok(!text.includes(Buffer.from('\0alice\0secret').toString('base64')));
});

test.run();
