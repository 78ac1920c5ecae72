/** What a PromQL expression asks for, by the grammar of Prometheus' own web interface. */
import { parser } from '@prometheus-io/lezer-promql';

/** A metric in an expression, with what is asked of its labels. */
export interface Selector {
  readonly metric: string;
  readonly labels: readonly { readonly name: string; readonly values: readonly string[] }[];
}

export interface Query {
  readonly selectors: readonly Selector[];
  /** Labels that it groups, joins or selects by. */
  readonly labels: readonly string[];
}

/** Grafana's word for a range, which is no PromQL. */
const rangeVariable = '$__rate_interval';

/** @throws Error that shows where the expression is wrong. */
export function readQuery(expression: string): Query {
  const text = expression.replaceAll(rangeVariable, '5m');
  const selectors: { metric: string; labels: { name: string; values: string[] }[] }[] = [];
  const labels = new Set<string>();
  parser.parse(text).iterate({
    enter: ({ type, from, to, node }) => {
      if (type.isError) throw new Error(`not PromQL at ${from} ("${text.slice(from, from + 20)}"): ${text}`);
      const words = text.slice(from, to);
      if (type.name === 'LabelName') labels.add(words);
      if (type.name === 'VectorSelector') {
        const name = node.getChild('Identifier');
        selectors.push({ metric: name ? text.slice(name.from, name.to) : '', labels: [] });
      }
      if (type.name === 'UnquotedLabelMatcher') {
        const [, label = '', values = ''] = /^(\w+)\s*(?:=~|!~|!=|=)\s*"(.*)"$/.exec(words) ?? [];
        selectors.at(-1)?.labels.push({ name: label, values: values.split('|') });
      }
    },
  });
  return { selectors, labels: [...labels] };
}
