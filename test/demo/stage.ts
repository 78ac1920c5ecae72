/** What the demonstration prints: who does what, and what each of them sees. Colours only on a terminal. */
import process from 'node:process';
import type { Client, Element } from '../support/client.ts';

/** A person's device, as the audience knows it. */
export interface Actor {
  readonly name: string;
  readonly client: Client;
  /** Nicks that it knows to be in the room. */
  readonly known: Set<string>;
}

const COLOURS = { title: '1', does: '36', sees: '32', quiet: '90' } as const;

export class Stage {
  readonly #isColoured = process.stdout.isTTY === true && process.env.NO_COLOR === undefined;

  title(text: string): void {
    this.#print('title', `\n${text}`);
  }

  say(text: string): void {
    this.#print('quiet', `  ${text}`);
  }

  does(name: string, text: string): void {
    this.#print('does', `  ${name.padEnd(16)} -> ${text}`);
  }

  /** Takes everything that has reached the actor, and shows what of it belongs to the room. Returns how much that was. */
  async sees({ name, client, known }: Actor, room: string): Promise<number> {
    const arrived = (await client.fence({ room })).filter((one) => one.from?.startsWith(room));
    const lines = arrived.map((one) => describe(one, known)).filter((line) => line !== undefined);
    if (lines.length === 0) this.#print('quiet', `  ${name.padEnd(16)} <- (nothing)`);
    for (const line of lines) this.#print('sees', `  ${name.padEnd(16)} <- ${line}`);
    return lines.length;
  }

  #print(kind: keyof typeof COLOURS, text: string): void {
    process.stdout.write(this.#isColoured ? `\x1b[${COLOURS[kind]}m${text}\x1b[0m\n` : `${text}\n`);
  }
}

/** A stanza of the room in words; undefined for what a person would not care about. */
export function describe(stanza: Element, known: Set<string>): string | undefined {
  const nick = stanza.from?.split('/')[1] ?? '';
  if (stanza.name === 'message') {
    const body = stanza.child('body')?.text;
    const when = stanza.child('delay') ? ' (history)' : '';
    if (body !== undefined) return `<${nick}> ${body}${when}`;
    const subject = stanza.child('subject')?.text;
    if (subject === undefined) return undefined;
    return subject === '' ? 'the room has no subject' : `the subject is "${subject}"`;
  }
  if (stanza.name !== 'presence' || nick === '') return undefined;
  const isSelf = stanza.codes.includes(110);
  const who = isSelf ? `you, ${nick},` : nick;
  const verb = isSelf ? 'are' : 'is';
  if (stanza.type !== 'unavailable') {
    const still = known.has(nick) && !isSelf ? 'still ' : '';
    known.add(nick);
    return `${who} ${verb} ${still}in the room`;
  }
  known.delete(nick);
  if (stanza.codes.includes(307)) return `${who} ${isSelf ? 'were' : 'was'} kicked`;
  return `${who} ${isSelf ? 'have' : 'has'} left`;
}
