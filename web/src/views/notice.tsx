/** A sentence in the middle of an empty place, and what can be done about it. */
import type { JSX, ReactNode } from "react";

export interface NoticeProps {
  readonly title?: string;
  readonly sentence: string;
  readonly hint?: string;
  readonly icon?: ReactNode;
  readonly action?: { readonly label: string; readonly act: () => void };
  readonly isAlert?: boolean;
}

export function Notice({ title, sentence, hint, icon, action, isAlert = false }: NoticeProps): JSX.Element {
  return (
    <div className="notice" role={isAlert ? "alert" : undefined}>
      {icon && <div className="notice-icon">{icon}</div>}
      {title && <p className="notice-title">{title}</p>}
      <p className="notice-sentence">{sentence}</p>
      {hint && <p className="notice-hint">{hint}</p>}
      {action && (
        <button type="button" className="button" onClick={action.act}>
          {action.label}
        </button>
      )}
    </div>
  );
}
