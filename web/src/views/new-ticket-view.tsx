/** The dialog that opens a ticket: what it is about, and who shall answer. */
import { type JSX, type SyntheticEvent, useEffect, useRef } from "react";
import type { Audience } from "../models/bridge";
import type { NewTicketViewModel } from "../viewmodels/new-ticket";
import { words } from "../viewmodels/words";
import { useReadable } from "./use-readable";

export interface NewTicketViewProps {
  readonly model: NewTicketViewModel;
  readonly onCancel: () => void;
}

export function NewTicketView({ model, onCancel }: NewTicketViewProps): JSX.Element {
  const state = useReadable(model.state);
  const subject = useRef<HTMLInputElement>(null);

  useEffect(() => {
    subject.current?.focus();
  }, []);

  function onSubmit(event: SyntheticEvent): void {
    event.preventDefault();
    void model.open();
  }

  return (
    <form className="dialog-body" onSubmit={onSubmit} noValidate>
      <label className="label" htmlFor="ticket-subject">
        {words.ticketSubject}
      </label>
      <input
        ref={subject}
        id="ticket-subject"
        className="input"
        type="text"
        dir="auto"
        required
        maxLength={180}
        value={state.subject}
        onChange={(event) => {
          model.write({ subject: event.target.value });
        }}
      />
      <label className="label" htmlFor="ticket-body">
        {words.ticketBody}
      </label>
      <textarea
        id="ticket-body"
        className="input"
        dir="auto"
        rows={5}
        required
        maxLength={8000}
        value={state.body}
        onChange={(event) => {
          model.write({ body: event.target.value });
        }}
      />
      <fieldset className="choices">
        <legend className="label">{words.ticketAudience}</legend>
        <AudienceChoice
          audience="team"
          model={model}
          name={words.audienceTeam}
          hint={words.audienceTeamHint}
        />
        <AudienceChoice
          audience="bitnexus"
          model={model}
          name={words.audienceBitnexus}
          hint={words.audienceBitnexusHint}
        />
      </fieldset>
      <p
        className="outcome"
        data-trouble={state.isTrouble || undefined}
        role={state.isTrouble ? "alert" : "status"}
      >
        {state.sentence}
      </p>
      <div className="dialog-foot">
        <button type="button" className="button button-quiet" onClick={onCancel}>
          {words.cancel}
        </button>
        <button type="submit" className="button" disabled={state.isOpening}>
          {words.openTicket}
        </button>
      </div>
    </form>
  );
}

interface AudienceChoiceProps {
  readonly audience: Audience;
  readonly model: NewTicketViewModel;
  readonly name: string;
  readonly hint: string;
}

function AudienceChoice({ audience, model, name, hint }: AudienceChoiceProps): JSX.Element {
  const state = useReadable(model.state);
  return (
    <div className="choice">
      <input
        type="radio"
        id={`audience-${audience}`}
        name="audience"
        checked={state.audience === audience}
        aria-describedby={`audience-${audience}-hint`}
        onChange={() => {
          model.ask(audience);
        }}
      />
      <div>
        <label className="choice-name" htmlFor={`audience-${audience}`}>
          {name}
        </label>
        <p className="choice-hint" id={`audience-${audience}-hint`}>
          {hint}
        </p>
      </div>
    </div>
  );
}
