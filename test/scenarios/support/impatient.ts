/** Servers that give up a stream whose client has gone after a short time (XEP-0198 section 5). */
import { type Server, type ServerName, sharedServers, startEjabberd, startProsody } from '../../servers/index.ts';

/** Starts one that waits so long for a client to resume (s); jabberd2, which knows no such thing, as it is. */
export function startImpatient(seconds: number): (name: ServerName) => Promise<Server> {
  return async (name) => {
    if (name === 'prosody') return startProsody({ extra: `smacks_hibernation_time = ${seconds}` });
    if (name === 'jabberd2') return (await sharedServers([name]))[0] as Server;
    return startEjabberd({
      edit: ({ modules }) => {
        modules.mod_stream_mgmt = { resume_timeout: seconds };
      },
    });
  };
}
