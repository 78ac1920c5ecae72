/** What a strict parser that is not ours says about a text: saxes, with what RFC 6120 forbids added. */
import { SaxesParser } from 'saxes';
import { HEADER } from './record.ts';

/** Whether the bytes are one element that may stand in a stream under the header of record.ts, and nothing else. */
export function isAcceptable(bytes: Buffer): boolean {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return false;
  }
  let depth = 0;
  let elements = 0;
  let isGood = true;
  const refuse = (): void => {
    isGood = false;
  };
  const parser = new SaxesParser({ xmlns: true });
  parser.on('error', refuse);
  parser.on('comment', refuse);
  parser.on('processinginstruction', refuse);
  parser.on('doctype', refuse);
  parser.on('opentag', ({ name, attributes }) => {
    if (depth++ === 1) elements++;
    for (const written of [name, ...Object.keys(attributes)]) if (!hasGoodLocalPart(written)) refuse();
  });
  parser.on('closetag', () => {
    depth--;
  });
  // Outside the element not even white space is part of it.
  parser.on('text', () => {
    if (depth === 1) refuse();
  });
  parser.on('cdata', () => {
    if (depth === 1) refuse();
  });
  parser.write(HEADER);
  parser.write(text);
  if (depth !== 1) return false;
  parser.write('</stream:stream>').close();
  return isGood && elements === 1;
}

/** Where saxes is laxer: `p:1` is no name (Namespaces in XML 1.0, section 4), though `1` may follow in `p1`. */
function hasGoodLocalPart(written: string): boolean {
  const colon = written.indexOf(':');
  if (colon < 0) return true;
  let isGood = true;
  const parser = new SaxesParser();
  parser.on('error', () => {
    isGood = false;
  });
  parser.write(`<${written.slice(colon + 1)}/>`).close();
  return isGood;
}
