"""A person in a room, by slixmpp: orders come as lines on standard input, what happens goes to standard output.

usage: slixmpp_person.py PORT JID PASSWORD MECHANISM CERTIFICATE
orders: join ROOM NICK | say ROOM TEXT | leave ROOM NICK | quit
events: online | joined ROOM | heard NICK TEXT | left ROOM | refused REASON
"""
import asyncio
import sys

import slixmpp


def tell(*words):
    print(*words, flush=True)


class Person(slixmpp.ClientXMPP):
    def __init__(self, jid, password, mechanism):
        super().__init__(jid, password, sasl_mech=mechanism)
        for plugin in ('xep_0030', 'xep_0045', 'xep_0199', 'xep_0280'):
            self.register_plugin(plugin)
        self.gone = None
        self.add_filter('in', self.see)
        self.add_event_handler('session_start', self.online)
        self.add_event_handler('failed_auth', lambda _: tell('refused authentication'))
        self.add_event_handler('groupchat_message', self.heard)

    def see(self, stanza):
        if isinstance(stanza, slixmpp.Presence) and stanza['type'] == 'unavailable' and self.gone:
            if stanza.xml.find('.//{http://jabber.org/protocol/muc#user}status[@code="110"]') is not None:
                self.gone.set_result(None)
                self.gone = None
        return stanza

    async def online(self, _):
        self.send_presence()
        await self.get_roster()
        tell('online')

    def heard(self, message):
        if message['body']:
            tell('heard', message['mucnick'], message['body'])

    async def order(self, line):
        word, _, rest = line.partition(' ')
        room, _, text = rest.partition(' ')
        muc = self.plugin['xep_0045']
        if word == 'join':
            # Returns when self-presence and subject have come.
            await muc.join_muc_wait(slixmpp.JID(room), text, timeout=10)
            tell('joined', room)
        elif word == 'say':
            self.send_message(mto=room, mbody=text, mtype='groupchat')
        elif word == 'leave':
            # The plugin forgets the room at once and shows nothing of the room's answer.
            self.gone = asyncio.get_running_loop().create_future()
            muc.leave_muc(slixmpp.JID(room), text)
            await asyncio.wait_for(self.gone, 10)
            tell('left', room)
        elif word == 'quit':
            await self.disconnect()
            return False
        return True


async def main(port, jid, password, mechanism, certificate):
    person = Person(jid, password, mechanism)
    person.ca_certs = certificate
    person.connect(('127.0.0.1', int(port)))
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := (await reader.readline()).decode().rstrip('\n'):
        try:
            if not await person.order(line):
                return
        except Exception as error:
            tell('refused', type(error).__name__, error)


asyncio.get_event_loop().run_until_complete(main(*sys.argv[1:]))
