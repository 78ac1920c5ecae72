/** A query of an archive as a client writes it (XEP-0313 section 4.1, XEP-0059), and the form that tells what it may hold. */
import { NS, type StanzaCondition } from '../xml/names.ts';
import type { Node } from '../xml/spans.ts';
import type { ArchiveQuery } from './archive-page.ts';

/** Messages of a page where the client does not say, and at most. */
const USUAL_PAGE = 50;
const MOST_PAGE = 100;
/** Ids that one query may name. */
const MOST_IDS = 200;

/** What stands in the way of a query; each is an error of type `modify` to it. */
export type Refusal = Extract<StanzaCondition, 'bad-request' | 'feature-not-implemented' | 'policy-violation'>;

export function readQuery(query: Node): ArchiveQuery | Refusal {
  const filters = readFilters(query.child('x', NS.data));
  if (typeof filters === 'string') return filters;
  const set = query.child('set', NS.rsm);
  const text = (name: string): string | undefined => set?.child(name)?.text();
  const number = (name: string): number | undefined => {
    const value = text(name)?.trim();
    if (value === undefined) return undefined;
    return /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
  };
  const [max = USUAL_PAGE, index] = [number('max'), number('index')];
  const after = text('after');
  if (Number.isNaN(max) || Number.isNaN(index) || after === '') return 'bad-request';
  return {
    ...filters,
    max: Math.min(max, MOST_PAGE),
    index,
    after,
    before: text('before'),
    isFlipped: query.child('flip-page') !== undefined,
  };
}

type Filters = Omit<ArchiveQuery, 'max'>;

/** A filter that is not known must not be passed over: the client would take the answer for one to its question. */
function readFilters(form: Node | undefined): Filters | Refusal {
  const filters: { -readonly [Key in keyof Filters]: Filters[Key] } = {};
  if (!form) return filters;
  let type: string | undefined;
  for (const field of form.children) {
    if (field.name !== 'field') continue;
    const values = field.children.filter(({ name }) => name === 'value').map((value) => value.text());
    const [value = ''] = values;
    switch (field.attr('var')) {
      case 'FORM_TYPE':
        type = value;
        break;
      case 'with':
        filters.with = value || undefined;
        break;
      case 'start':
      case 'end': {
        const at = value === '' ? undefined : Date.parse(value);
        if (Number.isNaN(at)) return 'bad-request';
        filters[field.attr('var') as 'start' | 'end'] = at;
        break;
      }
      case 'after-id':
        filters.afterId = value || undefined;
        break;
      case 'before-id':
        filters.beforeId = value || undefined;
        break;
      case 'ids':
        if (values.length > MOST_IDS) return 'policy-violation';
        filters.ids = values;
        break;
      // A question about users' own archives: here everything is groupchat.
      case 'include-groupchat':
        break;
      default:
        return 'feature-not-implemented';
    }
  }
  return type === NS.mam ? filters : 'bad-request';
}

/** What a query may hold (XEP-0313 section 4.1.5). */
export const QUERY_FORM =
  `<x xmlns='${NS.data}' type='form'><field type='hidden' var='FORM_TYPE'><value>${NS.mam}</value></field>` +
  `<field type='jid-single' var='with'/>` +
  ['start', 'end', 'before-id', 'after-id'].map((name) => `<field type='text-single' var='${name}'/>`).join('') +
  `<field type='list-multi' var='ids'><validate xmlns='${NS.validate}' datatype='xs:string'><open/></validate></field></x>`;
