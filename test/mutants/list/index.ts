/** All mutants, by theme. */
import type { Mutant } from '../mutant.ts';
import { accounts } from './accounts.ts';
import { anew } from './anew.ts';
import { archive } from './archive.ts';
import { authentication } from './authentication.ts';
import { bookmarks } from './bookmarks.ts';
import { carriers } from './carriers.ts';
import { edge } from './edge.ts';
import { elsewhere } from './elsewhere.ts';
import { forgotten } from './forgotten.ts';
import { handover } from './handover.ts';
import { healing } from './healing.ts';
import { history } from './history.ts';
import { joining } from './joining.ts';
import { keeping } from './keeping.ts';
import { leaveShown } from './leave-shown.ts';
import { leaving } from './leaving.ts';
import { lending } from './lending.ts';
import { log } from './log.ts';
import { logs } from './logs.ts';
import { lost } from './lost.ts';
import { messages } from './messages.ts';
import { moderator } from './moderator.ts';
import { nodes } from './nodes.ts';
import { owners } from './owners.ts';
import { parking } from './parking.ts';
import { parkingStop } from './parking-stop.ts';
import { parting } from './parting.ts';
import { presence } from './presence.ts';
import { races } from './races.ts';
import { rejoin } from './rejoin.ts';
import { requests } from './requests.ts';
import { resumption } from './resumption.ts';
import { returning } from './returning.ts';
import { sealed } from './sealed.ts';
import { shown } from './shown.ts';
import { sleeping } from './sleeping.ts';
import { store } from './store.ts';
import { streams } from './streams.ts';
import { subscribed } from './subscribed.ts';
import { travelling } from './travelling.ts';
import { trouble } from './trouble.ts';
import { unfound } from './unfound.ts';

/** By the name under which a run can ask for them. */
export const themes: Readonly<Record<string, readonly Mutant[]>> = {
  joining,
  history,
  log,
  logs,
  archive,
  races,
  leaving,
  leaveShown,
  subscribed,
  messages,
  presence,
  shown,
  accounts,
  requests,
  handover,
  healing,
  carriers,
  streams,
  authentication,
  resumption,
  lending,
  elsewhere,
  anew,
  sleeping,
  lost,
  keeping,
  bookmarks,
  parking,
  parkingStop,
  nodes,
  store,
  trouble,
  returning,
  travelling,
  unfound,
  sealed,
  edge,
  parting,
  rejoin,
  owners,
  forgotten,
  moderator,
};

export const mutants: readonly Mutant[] = Object.values(themes).flat();
