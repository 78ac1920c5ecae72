/** The parts of this folder that the rest of the program is built on. */
export * from './address.ts';
export * from './build.ts';
export * from './edit.ts';
export * from './framer.ts';
export * from './names.ts';
export * from './spans.ts';
export * from './stanza.ts';
