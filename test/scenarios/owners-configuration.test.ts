/** An owner's work at the room itself, by a device that is not the one whose stream carries (J10, M4). */
import { asWithoutProxy } from './support/compare.ts';
import { assert, ns, scenarios } from './support/scenario.ts';

const scenario = scenarios('owners-configuration', { together: 3 });

const owner = (to: string, type: string, inner = '') =>
  `<iq type='${type}' to='${to}'><query xmlns='${ns.mucOwner}'>${inner}</query></iq>`;

/** A form as it is submitted. */
function form(fields: Record<string, string>): string {
  const all = Object.entries({ FORM_TYPE: 'http://jabber.org/protocol/muc#roomconfig', ...fields });
  const inner = all.map(([name, value]) => `<field var='${name}'><value>${value}</value></field>`).join('');
  return `<x xmlns='${ns.data}' type='submit'>${inner}</x>`;
}

scenario(
  'J10',
  'the configuration is read, given up and changed by any device of an owner, and everybody hears what follows as without the proxy',
  async (scene) => {
    await asWithoutProxy(
      scene,
      async ({ actor, room, person, jid, step, ask, enters }) => {
        const bob = await person('bob');
        await enters(bob, 'bob');
        await step('the form is asked for', async () => {
          const { type } = await ask(actor, owner(room, 'get'));
          assert.is(type, 'result');
        });
        await step('and given up', () => ask(actor, owner(room, 'set', `<x xmlns='${ns.data}' type='cancel'/>`)));
        await step('a name is given, addresses are shown', () =>
          ask(
            actor,
            owner(room, 'set', form({ 'muc#roomconfig_roomname': 'A heath', 'muc#roomconfig_whois': 'anyone' })),
          ),
        );
        await step('the form again', () => ask(actor, owner(room, 'get')));
        await step('moderated, and addresses hidden again', () =>
          ask(
            actor,
            owner(room, 'set', form({ 'muc#roomconfig_moderatedroom': '1', 'muc#roomconfig_whois': 'moderators' })),
          ),
        );
        await step('a form of another kind', () => ask(actor, owner(room, 'set', form({ FORM_TYPE: 'unknown' }))));
        await step('a request that is none', () => ask(actor, owner(room, 'set', `<unknown/>`)));
        await step('another owner', async () =>
          ask(
            actor,
            `<iq type='set' to='${room}'><query xmlns='${ns.mucAdmin}'><item affiliation='owner' jid='${await jid('bob')}'/></query></iq>`,
          ),
        );
        await step('who is one no more', async () =>
          ask(
            bob,
            `<iq type='set' to='${room}'><query xmlns='${ns.mucAdmin}'><item affiliation='member' jid='${await jid('alice')}'/></query></iq>`,
          ),
        );
        await step('is refused', async () => {
          // At mu-conference nobody takes that from an owner.
          const { type } = await ask(actor, owner(room, 'get'));
          assert.is(type, scene.server.name === 'jabberd2' ? 'result' : 'error');
        });
      },
      { isOwner: true },
    );
  },
);

scenario.run();
