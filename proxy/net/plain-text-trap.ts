import type { LegHandler } from './leg.ts';

/** Takes the place of a leg's handler to find out whether anything but white space is left over. */
export class PlainTextTrap implements LegHandler {
  isSprung = false;

  header(): void {
    this.isSprung = true;
  }

  stanza(): void {
    this.isSprung = true;
  }

  end(): void {
    this.isSprung = true;
  }

  violation(): void {
    this.isSprung = true;
  }

  closed(): void {}

  drain(): void {}
}
