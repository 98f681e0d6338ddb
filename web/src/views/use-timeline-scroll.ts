import { type RefObject, useEffect, useLayoutEffect, useRef, useState } from "react";
import type { ConversationState, ConversationViewModel } from "../viewmodels/conversation";
import { TimelineScroller } from "./timeline-scroller";

export interface TimelineScroll {
  readonly box: RefObject<HTMLDivElement | null>;
  readonly content: RefObject<HTMLDivElement | null>;
  readonly isAtEnd: boolean;
  readonly goToEnd: () => void;
}

/** Tie a scroller to the timeline's elements, and report the newest message as seen while it is on the screen. */
export function useTimelineScroll(
  conversation: ConversationViewModel,
  state: ConversationState,
): TimelineScroll {
  const box = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const scroller = useRef<TimelineScroller | null>(null);
  const [isAtEnd, setIsAtEnd] = useState(true);

  useLayoutEffect(() => {
    if (!box.current || !content.current) return undefined;
    const made = new TimelineScroller({
      box: box.current,
      content: content.current,
      onEndChange: setIsAtEnd,
      loadOlder: () => void conversation.loadOlder(),
    });
    scroller.current = made;
    return () => {
      made.stop();
    };
  }, [conversation]);

  useLayoutEffect(() => {
    scroller.current?.update(state);
  }, [state]);

  useSeen(conversation, state.newestKey, isAtEnd);
  return { box, content, isAtEnd, goToEnd: () => scroller.current?.goToEnd() };
}

function useSeen(conversation: ConversationViewModel, newestKey: string | null, isAtEnd: boolean): void {
  useEffect(() => {
    if (newestKey === null || !isAtEnd) return undefined;
    const report = (): void => {
      if (document.visibilityState === "visible") conversation.sawNewest();
    };
    report();
    document.addEventListener("visibilitychange", report);
    return () => {
      document.removeEventListener("visibilitychange", report);
    };
  }, [conversation, newestKey, isAtEnd]);
}
