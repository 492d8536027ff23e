/** The sliders of the page, each with its value beside it and in words for screen readers. */

const milliseconds = (seconds) => {
  const number = Number((seconds * 1000).toPrecision(3));
  return [`${number} ms`, `${number} milliseconds`];
};
const decimals = (digits) => (value) => [value.toFixed(digits), value.toFixed(digits)];

/** Equal steps of a slider are equal factors, from `least` to `most`. */
const logarithmic = (least, most) => (position) => least * (most / least) ** position;
/** A slider from 0 to `most` that is finer near 0. */
const quadratic = (most) => (position) => most * position ** 2;

/** Returns the sliders `tau`, `dt`, `noise` and `rate`, each with its `input` and `value()`. */
export function createControls() {
  return {
    tau: slider('tau', logarithmic(0.001, 1), milliseconds),
    dt: slider('dt', logarithmic(0.0002, 0.005), milliseconds),
    noise: slider('noise', quadratic(20), decimals(2)),
    rate: slider('rate', logarithmic(0.5, 200), decimals(1)),
  };
}

/** @param valueOf Turns a position between 0 and 1 into a value. */
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
