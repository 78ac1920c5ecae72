/** Configuration files and database of jabberd2 with mu-conference, written out: Debian's samples are not on every machine. */
import { join } from 'node:path';
import type { ServerFacts } from './server.ts';

/** Folders and ports that the files need beside the server's facts. */
export interface Places extends Pick<ServerFacts, 'folder' | 'ports' | 'certificate'> {
  router: number;
  /** Folder of jabberd2's loadable modules, which depends on the machine's architecture. */
  modules: string;
}

/** File name -> content. */
export function configurationFiles(at: Places, extraRooms: string): Record<string, string> {
  return {
    'router-users.xml': '<users><user><name>jabberd</name><secret>secret</secret></user></users>\n',
    'router.xml': router(at),
    'sm.xml': sessionManager(at),
    'c2s.xml': clientToServer(at),
    'muc.xml': rooms(at, extraRooms),
    'database.sql': schema(),
  };
}

/** SQL that creates an account. Without the row in `active` a login succeeds but the bind is never answered. */
export function accountSql(name: string, password: string): string {
  const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;
  return (
    `INSERT INTO "authreg" ("username", "realm", "password") VALUES (${quoted(name)}, 'localhost', ${quoted(password)});` +
    `INSERT INTO "active" ("collection-owner", "time") VALUES (${quoted(`${name}@localhost`)}, 1);\n`
  );
}

/** The log file of one of the programs. */
export function logFile(folder: string, program: string): string {
  return join(folder, `${program}.log`);
}

function common({ folder }: Places, program: string): string {
  const log = `<log type='file'><file>${logFile(folder, program)}</file></log>`;
  return `<id>${program}</id><pidfile>${folder}/${program}.pid</pidfile>${log}`;
}

function toRouter({ router: port }: Places): string {
  const retry = '<retry><init>3</init><lost>3</lost><sleep>2</sleep></retry>';
  return `<router><ip>127.0.0.1</ip><port>${port}</port><user>jabberd</user><pass>secret</pass>${retry}</router>`;
}

function router(at: Places): string {
  return `<router>
  ${common(at, 'router')}
  <local>
    <ip>127.0.0.1</ip><port>${at.router}</port>
    <users>${at.folder}/router-users.xml</users><secret>secret</secret>
  </local>
  <check><interval>60</interval><keepalive>0</keepalive></check>
  <io>
    <max_fds>1024</max_fds>
    <limits><bytes>0</bytes><connects>0</connects></limits>
    <access><order>allow,deny</order></access>
  </io>
  <aci><acl type='all'><user>jabberd</user></acl></aci>
</router>
`;
}

/** Modules in each chain of the session manager, as Debian ships them. */
const chains: Record<string, string> = {
  'sess-start': 'status',
  'sess-end': 'status iq-last',
  'in-sess':
    'validate status privacy roster vacation iq-vcard iq-ping iq-private disco amp offline announce presence deliver',
  'out-sess': '',
  'in-router': 'session validate presence privacy',
  'out-router': 'privacy',
  'pkt-sm': 'iq-last iq-ping iq-time iq-version amp disco announce help echo status presence',
  'pkt-user': 'roster presence disco iq-vcard amp deliver vacation offline iq-last',
  'pkt-router': 'session disco',
  'user-load': 'active roster roster-publish privacy vacation',
  'user-unload': '',
  'user-create': 'active template-roster',
  'user-delete': 'active announce offline privacy roster vacation status iq-last iq-private iq-vcard',
  'disco-extend': 'iq-version help',
};

function sessionManager(at: Places): string {
  const modules = (names: string) =>
    names
      .split(' ')
      .filter(Boolean)
      .map((name) => `<module>${name}</module>`);
  const lists = Object.entries(chains).map(([id, names]) => `    <chain id='${id}'>${modules(names).join('')}</chain>`);
  return `<sm>
  ${common(at, 'sm')}
  ${toRouter(at)}
  <local><id>localhost</id></local>
  <storage><path>${at.modules}</path><driver>sqlite</driver>${sqlite(at)}</storage>
  <aci><acl type='all'><jid>admin@localhost</jid></acl></aci>
  <modules>
    <path>${at.modules}</path>
${lists.join('\n')}
  </modules>
  <discovery>
    <identity><category>server</category><type>im</type><name>jabberd2</name></identity>
    <agents/><items/>
  </discovery>
  <user><template><active-cache-ttl>60</active-cache-ttl></template></user>
  <offline/><roster/><status/>
</sm>
`;
}

/** The WebSocket is on the ports of the streams themselves. */
function clientToServer(at: Places): string {
  const { ports, certificate } = at;
  return `<c2s>
  ${common(at, 'c2s')}
  ${toRouter(at)}
  <local>
    <id register-enable='mu' pemfile='${certificate.both}'>localhost</id>
    <ip>127.0.0.1</ip><port>${ports.plain}</port>
    <ssl-port>${ports.tls}</ssl-port><pemfile>${certificate.both}</pemfile>
  </local>
  <io>
    <max_fds>1024</max_fds>
    <limits><bytes>0</bytes><stanzas>1000</stanzas><connects>0</connects><stanzasize>65535</stanzasize></limits>
    <access><order>allow,deny</order></access>
    <check><interval>0</interval><idle>0</idle><keepalive>0</keepalive></check>
    <websocket/>
  </io>
  <stats/><pbx/><stream_redirect/>
  <authreg>
    <path>${at.modules}</path><module>sqlite</module>
    <mechanisms>
      <traditional><plain/><digest/></traditional>
      <sasl><plain/><digest-md5/></sasl>
    </mechanisms>
    <ssl-mechanisms>
      <traditional><plain/></traditional>
      <sasl><plain/><external/></sasl>
    </ssl-mechanisms>
    ${sqlite(at, '<password_type><plaintext/></password_type>')}
  </authreg>
</c2s>
`;
}

function sqlite({ folder }: Places, more = ''): string {
  const pragma = '<sql>PRAGMA synchronous = OFF;</sql>';
  return `<sqlite><dbname>${folder}/jabberd2.db</dbname>${pragma}<busy-timeout>5000</busy-timeout>${more}</sqlite>`;
}

function rooms({ folder, router: port }: Places, extra: string): string {
  return `<jcr>
  <name>conference.localhost</name><host>conference.localhost</host>
  <ip>127.0.0.1</ip><port>${port}</port><secret>secret</secret>
  <spool>${folder}/rooms/</spool><logdir>${folder}/</logdir><pidfile>${folder}/muc.pid</pidfile>
  <loglevel>124</loglevel>
  <conference xmlns="jabber:config:conference">
    <public/>
    <vCard><FN>Rooms</FN><DESC>Rooms</DESC><URL>http://localhost/</URL></vCard>
    <history>40</history>
    <notice><join>has become available</join><leave>has left</leave><rename>is now known as</rename></notice>
    <sadmin><user>admin@localhost</user></sadmin>
    ${extra}
  </conference>
</jcr>
`;
}

/** Tables of the modules above; each also has its owner and a sequence number. */
const tables: Record<string, string> = {
  active: 'time INTEGER',
  logout: 'time INTEGER',
  'roster-items': 'jid TEXT, name TEXT, to BOOLEAN, from BOOLEAN, ask INTEGER',
  'roster-groups': 'jid TEXT, group TEXT',
  'published-roster': 'jid TEXT, group TEXT, name TEXT, to BOOLEAN, from BOOLEAN, ask INTEGER',
  'published-roster-groups': 'groupname TEXT',
  vcard:
    'fn nickname url tel email jabberid mailer title role bday tz n-family n-given n-middle n-prefix n-suffix adr-street ' +
    'adr-extadd adr-pobox adr-locality adr-region adr-pcode adr-country geo-lat geo-lon org-orgname org-orgunit ' +
    'agent-extval sort-string desc note uid photo-type photo-binval photo-extval logo-type logo-binval logo-extval ' +
    'sound-phonetic sound-binval sound-extval key-type key-cred rev',
  queue: 'xml TEXT',
  private: 'ns TEXT, xml TEXT',
  'motd-message': 'xml TEXT',
  'motd-times': 'time INTEGER',
  'privacy-default': 'default TEXT',
  'privacy-items': 'list TEXT, type TEXT, value TEXT, deny BOOL, order INTEGER, block INTEGER',
  'vacation-settings': 'start INTEGER, end INTEGER, message TEXT',
  status: 'status TEXT, show TEXT, last-login INTEGER, last-logout INTEGER, xml TEXT',
};

function schema(): string {
  const statements = Object.entries(tables).map(([table, columns]) => {
    const list = columns.includes(', ') || / [A-Z]+$/.test(columns) ? columns.split(', ') : columns.split(' ');
    const typed = list.map((column) => {
      const [name, type = 'TEXT'] = column.split(' ');
      return `"${name}" ${type}`;
    });
    return `CREATE TABLE "${table}" ("collection-owner" TEXT NOT NULL, "object-sequence" INTEGER PRIMARY KEY, ${typed.join(', ')});`;
  });
  const logins = 'CREATE TABLE "authreg" ("username" TEXT NOT NULL, "realm" TEXT NOT NULL, "password" TEXT);';
  return ['PRAGMA journal_mode = WAL;', logins, ...statements, ''].join('\n');
}
