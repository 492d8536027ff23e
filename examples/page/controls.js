/** The sliders of a page, each with its value beside it and in words for screen readers. */

const milliseconds = (seconds) => {
  const number = Number((seconds * 1000).toPrecision(3));
  return [`${number} ms`, `${number} milliseconds`];
};
const decimals = (digits) => (value) => [value.toFixed(digits), value.toFixed(digits)];

/** Equal steps of a slider are equal factors, from `least` to `most`. */
const logarithmic = (least, most) => (position) => least * (most / least) ** position;
/** A slider from 0 to `most` that is finer near 0. */
const quadratic = (most) => (position) => most * position ** 2;

/** For each slider that a page may have: its value at a position between 0 and 1, and its format. */
const SLIDERS = {
  tau: [logarithmic(0.001, 1), milliseconds],
  dt: [logarithmic(0.0002, 0.005), milliseconds],
  // A share of tau, so that it cannot be above tau.
  'tau-rise': [logarithmic(0.01, 1), decimals(3)],
  noise: [quadratic(20), decimals(2)],
  rate: [logarithmic(0.5, 200), decimals(1)],
};

/** Returns the sliders `names` of the page, each with its `input` and `value()`. */
export function createControls(names) {
  return Object.fromEntries(names.map((name) => [name, slider(name, ...SLIDERS[name])]));
}

function slider(id, valueOf, format) {
  const input = document.getElementById(id);
  const value = () => valueOf(Number(input.value));
  const show = () => {
    const [shown, spoken] = format(value());
    document.getElementById(`${id}-value`).textContent = shown;
    input.setAttribute('aria-valuetext', spoken);
  };
  input.addEventListener('input', show);
  show();
  return { input, value };
}
