/**
 * Deep equality of JSON values, except for the serial number that a message carries.
 *
 * @param {unknown} first
 * @param {unknown} second
 * @returns {boolean}
 */
export function equal(first, second) {
  if (!isObject(first) || !isObject(second)) return first === second;
  const keys = contentKeys(first);
  return (
    keys.length === contentKeys(second).length &&
    keys.every((key) => equal(first[key], second[key]))
  );
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
const isObject = (value) => Object(value) === value;

/** @param {object} value */
const contentKeys = (value) => Object.keys(value).filter((key) => key !== "serial");
