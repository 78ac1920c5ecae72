import { Outbox } from '../../proxy/net/outbox.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('net/outbox');

test('slices that lie side by side leave as one piece of the same memory', () => {
  const outbox = new Outbox();
  const source = Buffer.from('<a/><b/><c/>');
  outbox.append(source, 0, 4);
  outbox.append(source, 4, 8);
  outbox.append(source, 8, 12);
  assert.is(outbox.bytes, 12);
  const piece = outbox.next() as Buffer;
  assert.is(piece.toString(), '<a/><b/><c/>');
  assert.is(piece.buffer, source.buffer);
  assert.is(piece.byteOffset, source.byteOffset);
  assert.is(outbox.bytes, 0);
  assert.is(outbox.next(), undefined);
});

test('slices with a gap between them leave in order, joined', () => {
  const outbox = new Outbox();
  const source = Buffer.from('<a/>--<b/>');
  outbox.append(source, 0, 4);
  outbox.append(source, 6, 10);
  outbox.append(Buffer.from('<c/>'), 0, 4);
  assert.is(outbox.bytes, 12);
  assert.is(outbox.next()?.toString(), '<a/><b/><c/>');
  assert.is(outbox.bytes, 0);
});

test('pieces are joined up to 64 KiB, a larger one leaves alone and uncopied', () => {
  const outbox = new Outbox();
  const large = Buffer.alloc(100_000, 'l');
  const small = (letter: string) => Buffer.alloc(40_000, letter);
  for (const piece of [small('a'), large, small('b'), Buffer.from('c'), small('d')])
    outbox.append(piece, 0, piece.length);
  assert.is(outbox.next()?.length, 40_000);
  assert.is((outbox.next() as Buffer).buffer, large.buffer);
  assert.is(outbox.next()?.length, 40_001);
  assert.is(outbox.bytes, 40_000);
  assert.is(outbox.next()?.toString(), 'd'.repeat(40_000));
  assert.is(outbox.next(), undefined);
});

test('copies do not change with their source and leave together', () => {
  const outbox = new Outbox();
  const source = Buffer.from('<a/><b/>');
  outbox.appendCopy(source, 0, 4);
  source.fill('x');
  outbox.appendCopy(Buffer.from('<c/>'), 0, 4);
  assert.is(outbox.next()?.toString(), '<a/><c/>');
});

test('settling turns references into copies and keeps order and size', () => {
  const outbox = new Outbox();
  const source = Buffer.from('<a/>--<b/>');
  const large = Buffer.alloc(20_000, 'l');
  outbox.append(source, 0, 4);
  outbox.append(large, 0, large.length);
  outbox.append(source, 6, 10);
  outbox.settle();
  source.fill('x');
  large.fill('x');
  assert.is(outbox.bytes, 20_008);
  assert.is(outbox.next()?.toString(), `<a/>${'l'.repeat(20_000)}<b/>`);
});

test('what goes in comes out, whatever the mixture', () => {
  const outbox = new Outbox();
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed % below;
  };
  let wanted = '';
  let got = '';
  const source = Buffer.alloc(200_000);
  for (let at = 0; at < source.length; at++) source[at] = 97 + random(26);
  for (let round = 0; round < 3_000; round++) {
    const start = random(150_000);
    const end = start + random(random(10) === 0 ? 50_000 : 300);
    if (random(2) === 0) outbox.append(source, start, end);
    else outbox.appendCopy(source, start, end);
    wanted += source.toString('latin1', start, end);
    if (random(50) === 0) outbox.settle();
    if (random(3) === 0) got += outbox.next()?.toString('latin1') ?? '';
    assert.is(outbox.bytes, wanted.length - got.length);
  }
  for (let piece = outbox.next(); piece; piece = outbox.next()) got += piece.toString('latin1');
  assert.ok(got === wanted);
});

test.run();
