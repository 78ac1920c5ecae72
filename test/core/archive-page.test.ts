/** Paging of an archive (XEP-0313, XEP-0059) against a naive reading of the same query. */
import fc from 'fast-check';
import { type Archived, type ArchiveQuery, pageOf } from '../../proxy/core/archive-page.ts';
import { readQuery } from '../../proxy/core/mam-query.ts';
import { NS } from '../../proxy/xml/names.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('paging of an archive');
const ROOM = 'room@muc.test';
const many = (count: number): Archived[] =>
  Array.from({ length: count }, (_, at) => ({ id: `${at}`, from: `${ROOM}/${'ab'[at % 2]}`, at: at * 10, bytes: 1 }));
const ids = (archive: Archived[], query: Partial<ArchiveQuery>, bytes = 1000): unknown => {
  const page = pageOf(archive, { max: 3, ...query }, bytes);
  if (page === 'item-not-found') return page;
  return `${page.items.map(({ id }) => id).join(' ')} @${page.index}/${page.count}${page.isComplete ? ' complete' : ''}`;
};

test('tables', () => {
  const cases: [query: Partial<ArchiveQuery>, result: string][] = [
    [{}, '0 1 2 @0/7'],
    [{ after: '2' }, '3 4 5 @3/7'],
    [{ after: '5' }, '6 @6/7 complete'],
    [{ after: '6' }, ' @0/7 complete'],
    [{ before: '' }, '4 5 6 @4/7'],
    [{ before: '4' }, '1 2 3 @1/7'],
    [{ before: '1' }, '0 @0/7 complete'],
    [{ before: '0' }, ' @0/7 complete'],
    [{ before: '5', after: '1' }, '2 3 4 @2/7 complete'],
    [{ before: '6', after: '1' }, '3 4 5 @3/7'],
    [{ index: 5 }, '5 6 @5/7 complete'],
    [{ index: 2 }, '2 3 4 @2/7'],
    [{ index: 9 }, ' @0/7 complete'],
    [{ max: 0 }, ' @0/7'],
    [{ max: 0, start: 1000 }, ' @0/0 complete'],
    [{ after: 'x' }, 'item-not-found'],
    [{ before: 'x' }, 'item-not-found'],
    [{ afterId: 'x' }, 'item-not-found'],
    [{ beforeId: 'x' }, 'item-not-found'],
    [{ ids: ['1', 'x'] }, 'item-not-found'],
    [{ ids: ['5', '1'] }, '1 5 @0/2 complete'],
    [{ ids: [] }, ' @0/0 complete'],
    [{ start: 20, end: 40 }, '2 3 4 @0/3 complete'],
    [{ start: 21, end: 39 }, '3 @0/1 complete'],
    [{ afterId: '1', beforeId: '5' }, '2 3 4 @0/3 complete'],
    [{ afterId: '5', beforeId: '1' }, ' @0/0 complete'],
    [{ with: `${ROOM}/a` }, '0 2 4 @0/4'],
    [{ with: 'ROOM@MUC.TEST/a', after: '3' }, '4 6 @2/4 complete'],
    [{ with: ROOM }, '0 1 2 @0/7'],
    [{ with: 'bob@test' }, ' @0/0 complete'],
    [{ with: `${ROOM}/c` }, ' @0/0 complete'],
  ];
  for (const [query, result] of cases) assert.equal(ids(many(7), query), result, JSON.stringify(query));
});

test('a page is bounded in bytes, has one message at least, and is not complete then', () => {
  const heavy = many(4).map((one) => ({ ...one, bytes: 600 }));
  assert.equal(ids(heavy, {}), '0 @0/4');
  assert.equal(ids(heavy, {}, 1200), '0 1 @0/4');
  assert.equal(ids(heavy, { before: '' }, 1200), '2 3 @2/4');
  assert.equal(ids(heavy, { after: '2' }, 1), '3 @3/4 complete');
});

const anyQuery = fc.record({
  max: fc.nat(6),
  after: fc.option(fc.nat(9), { nil: undefined, freq: 2 }),
  before: fc.option(fc.oneof(fc.constant(''), fc.nat(9)), { nil: undefined, freq: 2 }),
  afterId: fc.option(fc.nat(9), { nil: undefined, freq: 2 }),
  beforeId: fc.option(fc.nat(9), { nil: undefined, freq: 2 }),
  start: fc.option(fc.nat(90), { nil: undefined, freq: 2 }),
  end: fc.option(fc.nat(90), { nil: undefined, freq: 2 }),
  ids: fc.option(fc.array(fc.nat(9), { maxLength: 4 }), { nil: undefined, freq: 1 }),
  with: fc.constantFrom(undefined, ROOM, `${ROOM}/a`, `${ROOM}/b`),
});

test('as a naive reading has it', () => {
  const word = (value: number | string | undefined): string | undefined =>
    value === undefined ? undefined : `${value}`;
  fc.assert(
    fc.property(fc.nat(8), anyQuery, (count, raw) => {
      const query: ArchiveQuery = {
        ...raw,
        after: word(raw.after),
        before: word(raw.before),
        afterId: word(raw.afterId),
        beforeId: word(raw.beforeId),
        ids: raw.ids?.map(String),
      };
      const archive = many(count);
      const page = pageOf(archive, query, 1e6);
      const named = [
        raw.after,
        raw.before === '' ? undefined : raw.before,
        raw.afterId,
        raw.beforeId,
        ...(raw.ids ?? []),
      ];
      if (named.some((one) => one !== undefined && Number(one) >= count)) {
        assert.is(page, 'item-not-found');
        return;
      }
      // The ids of `many` are its places.
      const passing: number[] = [];
      for (let place = 0; place < count; place += 1) {
        const isOut =
          (raw.afterId !== undefined && place <= raw.afterId) ||
          (raw.beforeId !== undefined && place >= raw.beforeId) ||
          (raw.start !== undefined && place * 10 < raw.start) ||
          (raw.end !== undefined && place * 10 > raw.end) ||
          (raw.ids !== undefined && !raw.ids.includes(place)) ||
          (raw.with !== undefined && raw.with !== ROOM && raw.with !== `${ROOM}/${'ab'[place % 2]}`);
        if (!isOut) passing.push(place);
      }
      const left = passing.filter(
        (place) =>
          !(raw.after !== undefined && place <= raw.after) &&
          !(raw.before !== undefined && raw.before !== '' && place >= Number(raw.before)),
      );
      const expected =
        raw.before === undefined ? left.slice(0, raw.max) : left.slice(Math.max(0, left.length - raw.max));
      assert.ok(page !== 'item-not-found');
      assert.equal(
        page.items.map(({ id }) => Number(id)),
        expected,
      );
      assert.is(page.count, passing.length);
      assert.is(page.isComplete, expected.length === left.length);
      if (expected[0] !== undefined) assert.is(page.index, passing.indexOf(expected[0]));
    }),
    { numRuns: 2000 },
  );
});

test('who pages on from each page, in either direction, has seen each message once', () => {
  fc.assert(
    fc.property(
      fc.nat(20),
      fc.integer({ min: 1, max: 5 }),
      fc.boolean(),
      fc.nat(5),
      (count, max, isBackwards, limit) => {
        const archive = many(count).map((one) => ({ ...one, bytes: 10 }));
        const seen: string[] = [];
        let at: Partial<ArchiveQuery> = isBackwards ? { before: '' } : {};
        for (let turn = 0; turn <= count; turn += 1) {
          const page = pageOf(archive, { max, ...at }, 10 + limit * 10);
          assert.ok(page !== 'item-not-found');
          const got = page.items.map(({ id }) => id);
          if (isBackwards) seen.unshift(...got);
          else seen.push(...got);
          if (page.isComplete) break;
          at = isBackwards ? { before: got[0] } : { after: got.at(-1) };
        }
        assert.equal(
          seen,
          archive.map(({ id }) => id),
        );
      },
    ),
  );
});

test('what a client writes', () => {
  const read = (inner: string): unknown => {
    const iq = parseStanza(`<iq type='set' to='${ROOM}'><query xmlns='${NS.mam}'>${inner}</query></iq>`);
    const query = iq.root.child('query');
    assert.ok(query);
    return JSON.parse(JSON.stringify(readQuery(query)));
  };
  const set = (inner: string): string => `<set xmlns='${NS.rsm}'>${inner}</set>`;
  const form = (fields: Record<string, string[]>, type: string = NS.mam): string => {
    const all = Object.entries({ FORM_TYPE: [type], ...fields });
    const written = all.map(([name, values]) => {
      return `<field var='${name}'>${values.map((value) => `<value>${value}</value>`).join('')}</field>`;
    });
    return `<x xmlns='${NS.data}' type='submit'>${written.join('')}</x>`;
  };
  assert.equal(read(''), { max: 50, isFlipped: false });
  assert.equal(read(`${set('<max>7</max><after>x</after>')}<flip-page/>`), { max: 7, after: 'x', isFlipped: true });
  assert.equal(read(set('<max>100000</max><before/>')), { max: 100, before: '', isFlipped: false });
  assert.equal(read(set('<max>0</max><index>4</index>')), { max: 0, index: 4, isFlipped: false });
  for (const bad of ['<max>-1</max>', '<max>x</max>', '<max/>', '<index>1.5</index>', '<after/>']) {
    assert.is(read(set(bad)), 'bad-request', bad);
  }
  assert.equal(
    read(
      form({
        with: [`${ROOM}/a`],
        start: ['1970-01-01T00:00:01Z'],
        end: ['1970-01-01T00:00:02.5Z'],
        'after-id': ['x'],
        'before-id': ['y'],
        ids: ['p', 'q'],
        'include-groupchat': ['true'],
      }),
    ),
    {
      with: `${ROOM}/a`,
      start: 1000,
      end: 2500,
      afterId: 'x',
      beforeId: 'y',
      ids: ['p', 'q'],
      max: 50,
      isFlipped: false,
    },
  );
  assert.is(read(form({ start: ['yesterday'] })), 'bad-request');
  assert.is(read(form({}, 'urn:xmpp:mam:1')), 'bad-request');
  assert.is(read(form({ withtext: ['x'] })), 'feature-not-implemented');
  assert.is(read(form({ ids: Array.from({ length: 201 }, String) })), 'policy-violation');
});

test.run();
