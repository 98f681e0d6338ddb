/** A value that can be read and watched: how news travels from the protocol to the views. */

export interface Readable<T> {
  /** Return the value; the same reference until it changes. */
  readonly get: () => T;
  /** Call `listener` after each change, until the returned function is called. */
  readonly subscribe: (listener: () => void) => () => void;
}

export class Cell<T> implements Readable<T> {
  readonly #listeners = new Set<() => void>();
  #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  readonly get = (): T => this.#value;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  };

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const listener of [...this.#listeners]) listener();
  }
}
