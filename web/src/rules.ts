/** What a model card may hold: it may come from a stranger, and sizes are checked before anything is made of them. */

/** Refuses a value by throwing an `Unfit`; `at` is its place on the card, as "runtime.view.size". */
export type Rule = (value: unknown, at: string) => void;

export class Unfit extends Error {
  constructor(at: string, must: string) {
    super(`"${at}" must be ${must}`);
  }
}

/** A finite number. */
export function number(low = -1e6, high = 1e6): Rule {
  return (value, at) => {
    if (typeof value !== "number" || !(value >= low && value <= high)) throw new Unfit(at, `a number from ${low} to ${high}`);
  };
}

export function whole(low: number, high: number): Rule {
  return (value, at) => {
    if (!Number.isInteger(value) || (value as number) < low || (value as number) > high) {
      throw new Unfit(at, `a whole number from ${low} to ${high}`);
    }
  };
}

export const flag: Rule = (value, at) => {
  if (typeof value !== "boolean") throw new Unfit(at, "true or false");
};

export function text(pattern: RegExp, what: string): Rule {
  return (value, at) => {
    if (typeof value !== "string" || !pattern.test(value)) throw new Unfit(at, what);
  };
}

export function nullable(rule: Rule): Rule {
  return (value, at) => {
    if (value !== null) rule(value, at);
  };
}

export function list(rule: Rule, fewest: number, most = fewest): Rule {
  return (value, at) => {
    if (!Array.isArray(value) || value.length < fewest || value.length > most) {
      throw new Unfit(at, fewest === most ? `a list of ${fewest}` : `a list of ${fewest} to ${most}`);
    }
    value.forEach((one, index) => rule(one, `${at}[${index}]`));
  };
}

/** An object with these keys; others are not looked at. What an object inherits is none of its keys. */
export function object(rules: Record<string, Rule>): Rule {
  return (value, at) => {
    const found = entries(value, at);
    for (const [key, rule] of Object.entries(rules)) {
      const place = at ? `${at}.${key}` : key;
      if (!found.has(key)) throw new Unfit(place, "there, and is missing");
      rule(found.get(key), place);
    }
  };
}

/** An object with any keys, but not very many. */
export function record(rule: Rule, most = 1000): Rule {
  return (value, at) => {
    const found = entries(value, at);
    if (found.size > most) throw new Unfit(at, `an object of ${most} keys at most`);
    for (const [key, one] of found) rule(one, `${at}.${key.slice(0, 40)}`);
  };
}

function entries(value: unknown, at: string): Map<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Unfit(at || "the card", "an object");
  return new Map(Object.entries(value));
}
