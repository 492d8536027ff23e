const check = require('./check.cjs');

check(require('expsyn'), require('expsyn/streams')).then((line) =>
  console.log(`${line}, by require()`),
);
