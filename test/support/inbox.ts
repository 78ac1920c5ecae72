/** What a test client has received and not yet consumed, in order, and the ways to wait for it. */
import type { Element } from './element.ts';
import { type Matcher, matches, printMatcher } from './match.ts';

interface Waiter {
  /** Looks again; true when it has settled. */
  look(): boolean;
  fail(reason: string): void;
}

/** An ordered inbox. Failures say what was wanted and print what is there. */
export class Inbox {
  readonly name: string;
  readonly #elements: Element[] = [];
  readonly #waiters = new Set<Waiter>();
  #end: string | undefined;

  constructor(name: string) {
    this.name = name;
  }

  /** What is there and not consumed. */
  get pending(): readonly Element[] {
    return this.#elements;
  }

  add(element: Element): void {
    this.#elements.push(element);
    this.#lookAgain();
  }

  /** Nothing more will come: whoever waits in vain fails now. */
  end(reason: string): void {
    this.#end = reason;
    this.#lookAgain();
    for (const waiter of this.#waiters) waiter.fail(reason);
    this.#waiters.clear();
  }

  /** Consumes everything that is there. */
  takeAll(): Element[] {
    return this.#elements.splice(0);
  }

  /** Waits until `take` returns something else than undefined; it may remove elements from the list it is given. */
  async wait<T>(limitMs: number, wanted: string, take: (elements: Element[]) => T | undefined): Promise<T> {
    // The place of the call, without which a failure does not say which line of a test waited.
    const origin = new Error();
    return await new Promise<T>((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const fail = (reason: string) => {
        const error = new Error(`${this.name}: ${reason}\n\nwanted:\n${wanted}\n\nhas arrived:\n${this.print()}\n`);
        error.stack = `${error.message}\n${(origin.stack ?? '').split('\n').slice(2).join('\n')}`;
        reject(error);
      };
      const waiter: Waiter = {
        look: () => {
          try {
            const found = take(this.#elements);
            if (found === undefined) return false;
            resolve(found);
          } catch (error) {
            fail((error as Error).message);
          }
          clearTimeout(timer);
          return true;
        },
        fail: (reason) => {
          clearTimeout(timer);
          fail(reason);
        },
      };
      if (waiter.look()) return;
      if (this.#end !== undefined) return waiter.fail(this.#end);
      this.#waiters.add(waiter);
      timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        fail(`nothing of the kind within ${limitMs} ms`);
      }, limitMs);
    });
  }

  /** The next element, which must match. */
  next(matcher: Matcher, limitMs: number): Promise<Element> {
    return this.wait(limitMs, printMatcher(matcher), (elements) => {
      const [first] = elements;
      if (!first) return undefined;
      if (!matches(first, matcher)) throw new Error('what comes next is something else');
      elements.shift();
      return first;
    });
  }

  /** The next elements, which must match these matchers in some order. Returned in the order of the matchers. */
  nextInAnyOrder(matchers: Matcher[], limitMs: number): Promise<Element[]> {
    const wanted = `in any order\n${matchers.map(printMatcher).join('\n')}`;
    return this.wait(limitMs, wanted, (elements) => {
      const candidates = elements.slice(0, matchers.length);
      const stranger = candidates.findIndex((element) => !matchers.some((matcher) => matches(element, matcher)));
      if (stranger >= 0) throw new Error(`number ${stranger + 1} of what comes next is something else`);
      if (candidates.length < matchers.length) return undefined;
      const assigned = assign(matchers, candidates);
      if (!assigned) throw new Error('what comes next does not fit one to one');
      elements.splice(0, matchers.length);
      return assigned;
    });
  }

  /** The first element that matches, wherever it stands; the others stay. */
  pick(matcher: Matcher, limitMs: number): Promise<Element> {
    return this.wait(limitMs, printMatcher(matcher), (elements) => {
      const index = elements.findIndex((element) => matches(element, matcher));
      return index < 0 ? undefined : elements.splice(index, 1)[0];
    });
  }

  /** All up to and including the first that matches. */
  upTo(matcher: Matcher, limitMs: number): Promise<Element[]> {
    return this.wait(limitMs, printMatcher(matcher), (elements) => {
      const index = elements.findIndex((element) => matches(element, matcher));
      return index < 0 ? undefined : elements.splice(0, index + 1);
    });
  }

  print(): string {
    return this.#elements.map((element) => element.print()).join('\n') || '(nothing)';
  }

  #lookAgain(): void {
    for (const waiter of this.#waiters) {
      if (waiter.look()) this.#waiters.delete(waiter);
    }
  }
}

/** Gives each matcher an element of its own; undefined when that cannot be. */
function assign(matchers: Matcher[], elements: Element[]): Element[] | undefined {
  const [first, ...rest] = matchers;
  if (first === undefined) return [];
  for (const [index, element] of elements.entries()) {
    if (!matches(element, first)) continue;
    const others = assign(rest, elements.toSpliced(index, 1));
    if (others) return [element, ...others];
  }
  return undefined;
}
