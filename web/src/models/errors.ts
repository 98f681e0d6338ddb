/** Why the chat could not be opened, in a sentence for a person. */

export class ChatError extends Error {
  /** True when trying again later can help, without anybody doing anything. */
  readonly isPassing: boolean;

  constructor(sentence: string, { isPassing }: { isPassing: boolean }) {
    super(sentence);
    this.name = "ChatError";
    this.isPassing = isPassing;
  }
}
