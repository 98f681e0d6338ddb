/** Call `action` after `ms` milliseconds unless the returned function is called before. */
export type Schedule = (action: () => void, ms: number) => () => void;

export const afterTimeout: Schedule = (action, ms) => {
  const timer = setTimeout(action, ms);
  return () => {
    clearTimeout(timer);
  };
};
