/** All mutants, by theme. */
import type { Mutant } from '../mutant.ts';
import { joining } from './joining.ts';

export const mutants: readonly Mutant[] = [...joining];
