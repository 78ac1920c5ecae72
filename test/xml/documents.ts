/** Generated XML: elements with prefixes, references, CDATA and characters of every width, in every way of writing them. */
import fc from 'fast-check';

/** An element as it is meant, beside its text. */
export interface Written {
  readonly xml: string;
  readonly name: string;
  readonly ns: string;
  /** Attributes by written name, references resolved; namespace declarations left out. */
  readonly attributes: ReadonlyMap<string, string>;
  /** Own character data. */
  readonly text: string;
  readonly children: readonly Written[];
}

const NAMES = ['message', 'iq', 'a', 'body', 'x-1', '_y.z', 'é', 'имя', '𐐀'];
/** All are declared by each generated first-level element, or by the header (`ack`, `stream`). */
const PREFIXES = ['', '', '', 'p', 'q', 'ack', 'stream'];
const NAMESPACES: Readonly<Record<string, string>> = {
  p: 'urn:p',
  q: 'urn:p?a&b',
  ack: 'http://www.xmpp.org/extensions/xep-0198.html#ns',
  stream: 'http://etherx.jabber.org/streams',
};

/** Pairs of what is written and what it means. */
interface Piece {
  readonly written: string;
  readonly meaning: string;
}

const piece = (written: string, meaning: string = written): Piece => ({ written, meaning });

const character: fc.Arbitrary<Piece> = fc.oneof(
  fc.constantFrom('a', 'Z', '0', ' ', '.', '/', '=', ';', '#', '-', '?', '!', '[', '>a', '~').map((c) => piece(c)),
  fc.constantFrom('é', 'ß', 'ж', '€', '\ud7ff', '\ue000', '\ufffd', '😀', '\u{10ffff}').map((c) => piece(c)),
  fc.constantFrom(
    piece('&lt;', '<'),
    piece('&gt;', '>'),
    piece('&amp;', '&'),
    piece('&quot;', '"'),
    piece('&apos;', "'"),
    piece('&#65;', 'A'),
    piece('&#x41;', 'A'),
    piece('&#000065;', 'A'),
    piece('&#x1F600;', '😀'),
    piece('&#xaB;', '«'),
    piece('&#9;', '\t'),
    piece('&#10;', '\n'),
    piece('&#13;', '\r'),
    piece('&amp;lt;', '&lt;'),
  ),
);

const inText: fc.Arbitrary<Piece> = fc.oneof(
  { weight: 5, arbitrary: character },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      piece('"'),
      piece("'"),
      piece('\t'),
      piece('\n'),
      piece('\r\na', '\na'),
      piece('\ra', '\na'),
      piece(']'),
      piece('] ]'),
      piece(']]x'),
      piece('<![CDATA[]]>', ''),
      piece('<![CDATA[<&>"]]>', '<&>"'),
      piece('<![CDATA[]]]]>', ']]'),
      piece('<![CDATA[a]b]]c]] >😀]]>', 'a]b]]c]] >😀'),
      piece('<![CDATA[&amp;\r\n<a>]]>', '&amp;\n<a>'),
    ),
  },
);

const inValue = (quote: string): fc.Arbitrary<Piece> =>
  fc.oneof(
    { weight: 5, arbitrary: character },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        piece(quote === "'" ? '"' : "'"),
        piece('\t', ' '),
        piece('\n', ' '),
        piece('\r\nx', ' x'),
        piece(']]>'),
        piece('/>'),
      ),
    },
  );

const pieces = (of: fc.Arbitrary<Piece>, maxLength: number): fc.Arbitrary<Piece> =>
  fc.array(of, { maxLength }).map((all) => ({
    // A ']' before a '>' of the next piece would make a ']]>': keep them apart.
    written: all.map((p) => p.written).join('\u200a'),
    meaning: all.map((p) => p.meaning).join('\u200a'),
  }));

const space = fc.constantFrom('', '', ' ', '\n', '\t ', '\r\n');
const someSpace = fc.constantFrom(' ', ' ', '  ', '\n', ' \t');

interface Attribute {
  readonly name: string;
  readonly written: string;
  readonly meaning: string;
}

const attribute: fc.Arbitrary<Attribute> = fc
  .tuple(
    fc.constantFrom('to', 'from', 'id', 'type', 'xml:lang', 'a', 'é', 'p:a', 'q:a', 'ack:b', 'xmlnsx'),
    fc.constantFrom("'", '"').chain((quote) => fc.tuple(fc.constant(quote), pieces(inValue(quote), 6))),
    space,
    space,
    someSpace,
  )
  .map(([name, [quote, value], before, behind, ahead]) => ({
    name,
    written: `${ahead}${name}${before}=${behind}${quote}${value.written}${quote}`,
    meaning: value.meaning,
  }));

interface Shape {
  readonly prefix: string;
  readonly local: string;
  readonly default: string | undefined;
  readonly attributes: readonly Attribute[];
  readonly texts: readonly Piece[];
  readonly children: readonly Shape[];
  readonly isShort: boolean;
  readonly tail: string;
}

const shape = (levels: number): fc.Arbitrary<Shape> =>
  fc.record(
    {
      prefix: fc.constantFrom(...PREFIXES),
      local: fc.constantFrom(...NAMES),
      default: fc.option(fc.constantFrom('jabber:client', 'urn:d', '', 'http://etherx.jabber.org/streams'), {
        nil: undefined,
        freq: 3,
      }),
      attributes: fc.uniqueArray(attribute, { selector: (a) => a.name, maxLength: 4 }),
      texts: fc.array(pieces(inText, 5), { minLength: 3, maxLength: 3 }),
      children: levels > 1 ? fc.array(shape(levels - 1), { maxLength: 2 }) : fc.constant([]),
      isShort: fc.boolean(),
      tail: space,
    },
    { noNullPrototype: true },
  );

const ROOT_DECLARATIONS = ` xmlns:p="urn:p" xmlns:q='urn:p?a&amp;b'`;

function write(shape: Shape, outerDefault: string, isRoot: boolean): Written {
  const { prefix, local, attributes, texts, tail } = shape;
  const ownDefault = shape.default ?? outerDefault;
  const children = shape.children.map((child) => write(child, ownDefault, false));
  const name = prefix === '' ? local : `${prefix}:${local}`;
  const declared = (isRoot ? ROOT_DECLARATIONS : '') + (shape.default === undefined ? '' : ` xmlns='${shape.default}'`);
  const open = `<${name}${attributes.map((a) => a.written).join('')}${declared}${tail}`;
  const isEmpty = children.length === 0 && shape.isShort;
  let content = texts[0]?.written ?? '';
  let text = texts[0]?.meaning ?? '';
  for (const [i, child] of children.entries()) {
    content += child.xml + (texts[i + 1]?.written ?? '');
    text += texts[i + 1]?.meaning ?? '';
  }
  return {
    xml: isEmpty ? `${open}/>` : `${open}>${content}</${name}${tail}>`,
    name: local,
    ns: prefix === '' ? ownDefault : (NAMESPACES[prefix] ?? ''),
    attributes: new Map(attributes.map((a) => [a.name, a.meaning])),
    text: isEmpty ? '' : text,
    children,
  };
}

/** An element as it may stand first-level under the header of record.ts. */
export const element: fc.Arbitrary<Written> = shape(4).map((root) => write(root, 'jabber:client', true));

/** Some of them, with white space between. */
export const elements: fc.Arbitrary<{ xml: string; each: readonly Written[] }> = fc
  .array(fc.tuple(element, space), { minLength: 1, maxLength: 4 })
  .map((all) => ({ xml: all.map(([one, gap]) => one.xml + gap).join(''), each: all.map(([one]) => one) }));

/** A change to some bytes: `count` of them at a relative place give way to others. */
export interface Mutation {
  readonly place: number;
  readonly count: number;
  readonly bytes: readonly number[];
}

const TELLING = [...'<>/&;\'"= :!?[]-#x\u0000\t\n'].map((c) => c.charCodeAt(0));
const SNIPPETS = [
  '<!--',
  '-->',
  '<?x?>',
  ']]>',
  '<![CDATA[',
  '&lt;',
  '&foo;',
  '&#0;',
  '</a>',
  '<a>',
  'xmlns:p=',
  ' to=',
];

export const mutations: fc.Arbitrary<readonly Mutation[]> = fc.array(
  fc.record({
    place: fc.double({ min: 0, max: 1, noNaN: true }),
    count: fc.nat({ max: 3 }),
    bytes: fc.oneof(
      fc.array(fc.oneof(fc.constantFrom(...TELLING), fc.nat({ max: 255 })), { maxLength: 3 }),
      fc.constantFrom(...SNIPPETS).map((snippet) => [...Buffer.from(snippet)]),
      fc.constantFrom('\ufffe', '\uffff', '\u0085', '\u0300', '😀', '\u00d7').map((c) => [...Buffer.from(c)]),
    ),
  }),
  { minLength: 1, maxLength: 3 },
);

export function mutate(bytes: Buffer, changes: readonly Mutation[]): Buffer {
  let result = bytes;
  for (const { place, count, bytes: others } of changes) {
    const at = Math.floor(place * result.length);
    result = Buffer.concat([result.subarray(0, at), Buffer.from(others), result.subarray(at + count)]);
  }
  return result;
}
