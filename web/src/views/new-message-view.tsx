/** The dialog that finds the person to write to: a search field over a list, by keyboard as by hand. */
import { type JSX, type KeyboardEvent, useEffect, useRef } from "react";
import type { FoundPerson } from "../models/bridge";
import type { NewMessageState, NewMessageViewModel } from "../viewmodels/new-message";
import { words } from "../viewmodels/words";
import { Face } from "./avatar";
import { useReadable } from "./use-readable";

const LIST_ID = "found-people";

export function NewMessageView({ model }: { model: NewMessageViewModel }): JSX.Element {
  const state = useReadable(model.state);
  const field = useRef<HTMLInputElement>(null);

  useEffect(() => {
    field.current?.focus();
  }, []);

  function onKeyDown(event: KeyboardEvent): void {
    const step = ({ ArrowDown: 1, ArrowUp: -1 } as const)[event.key];
    if (step) model.move(step);
    else if (event.key === "Enter" && !event.nativeEvent.isComposing) void model.choose();
    else return;
    event.preventDefault();
  }

  return (
    <div className="dialog-body">
      <label className="label" htmlFor="person-query">
        {words.whoTo}
      </label>
      <input
        ref={field}
        id="person-query"
        className="input"
        type="text"
        dir="auto"
        role="combobox"
        autoComplete="off"
        spellCheck={false}
        placeholder={words.searchHint}
        aria-autocomplete="list"
        aria-expanded={state.people.length > 0}
        aria-controls={LIST_ID}
        aria-activedescendant={state.active ? optionId(state.active) : undefined}
        value={state.query}
        readOnly={state.phase === "opening"}
        maxLength={100}
        onChange={(event) => {
          model.write(event.target.value);
        }}
        onKeyDown={onKeyDown}
      />
      <div
        className="people"
        id={LIST_ID}
        role="listbox"
        tabIndex={-1}
        aria-label={words.peopleFound}
        aria-busy={state.phase !== "choosing"}
      >
        {state.people.map((person) => (
          <PersonOption key={person.userId} person={person} state={state} model={model} />
        ))}
      </div>
      <Outcome state={state} />
    </div>
  );
}

interface PersonOptionProps {
  readonly person: FoundPerson;
  readonly state: NewMessageState;
  readonly model: NewMessageViewModel;
}

function PersonOption({ person, state, model }: PersonOptionProps): JSX.Element {
  const item = useRef<HTMLDivElement>(null);
  const isActive = state.active === person;

  useEffect(() => {
    if (isActive) item.current?.scrollIntoView({ block: "nearest" });
  }, [isActive]);

  return (
    // the keys of the list are the search field's, as a combobox has it
    // eslint-disable-next-line jsx-a11y/click-events-have-key-events
    <div
      ref={item}
      id={optionId(person)}
      className="person"
      role="option"
      tabIndex={-1}
      aria-selected={isActive}
      onClick={() => void model.choose(person)}
    >
      <Face name={person.name} seed={person.matrixId} avatarUrl={person.avatarUrl} />
      <span className="person-name" dir="auto">
        {person.name}
      </span>
      <span className="person-role">{words.roles[person.role]}</span>
    </div>
  );
}

/** What came of the search or of the choice; a screen reader hears the number of those found, too. */
function Outcome({ state }: { state: NewMessageState }): JSX.Element {
  const isSearching = state.phase === "searching";
  return (
    <>
      <p
        className="outcome"
        data-trouble={state.isTrouble || undefined}
        role={state.isTrouble ? "alert" : "status"}
      >
        {isSearching && state.people.length === 0 ? words.searching : state.sentence}
      </p>
      <p className="hidden" role="status">
        {!isSearching && state.sentence === "" ? words.found(state.people.length) : ""}
      </p>
    </>
  );
}

function optionId(person: FoundPerson): string {
  return `person-${person.userId}`;
}
