/** The shape of what is coming, while it comes. */
import type { JSX } from "react";
import { words } from "../viewmodels/words";

export function OpeningView(): JSX.Element {
  return (
    <div className="chat opening" data-pane="list" role="status">
      <span className="hidden">{words.opening}</span>
      <div className="sidebar" aria-hidden="true">
        <div className="bone bone-title" />
        {[70, 55, 80, 60].map((width) => (
          <div key={width} className="bone" style={{ inlineSize: `${width}%` }} />
        ))}
      </div>
      <div className="main" aria-hidden="true">
        <TimelineBones />
      </div>
    </div>
  );
}

export function TimelineBones(): JSX.Element {
  return (
    <div className="bones">
      {[64, 42, 78].map((width) => (
        <div key={width} className="bone-message">
          <div className="bone bone-avatar" />
          <div className="bone-lines">
            <div className="bone bone-name" />
            <div className="bone" style={{ inlineSize: `${width}%` }} />
          </div>
        </div>
      ))}
    </div>
  );
}
