/**
 * Return a function that runs `action` once, however often it is called meanwhile.
 *
 * It runs as a task of its own: the SDK hands out a sync response event by event, and what is drawn should be the
 * whole of it, an answer with its edits and not first the one and then the other.
 */
export function onceSoon(action: () => void): () => void {
  let isDue = false;
  return () => {
    if (isDue) return;
    isDue = true;
    setTimeout(() => {
      isDue = false;
      action();
    }, 0);
  };
}
