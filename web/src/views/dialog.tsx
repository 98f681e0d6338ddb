/** A dialog above the panel: the browser's own, which keeps the focus inside, gives it back, and closes by Escape. */
import { type JSX, type ReactNode, useId, useLayoutEffect, useRef } from "react";
import { words } from "../viewmodels/words";
import { CloseIcon } from "./icons";

export interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
}

export function Dialog({ title, onClose, children }: DialogProps): JSX.Element {
  const box = useRef<HTMLDialogElement>(null);
  const titleId = useId();

  // before the effects of what is inside, which say where the focus goes
  useLayoutEffect(() => {
    const dialog = box.current;
    dialog?.showModal();
    return () => {
      dialog?.close();
    };
  }, []);

  return (
    <dialog
      ref={box}
      className="dialog"
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault(); // whether it is open is not the browser's to say
        onClose();
      }}
    >
      <header className="dialog-header">
        <h2 className="dialog-title" id={titleId}>
          {title}
        </h2>
        <button type="button" className="icon-button" aria-label={words.close} onClick={onClose}>
          <CloseIcon />
        </button>
      </header>
      {children}
    </dialog>
  );
}
