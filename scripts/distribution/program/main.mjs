import * as expsyn from 'expsyn';
import * as streams from 'expsyn/streams';

import check from './check.cjs';

console.log(`${await check(expsyn, streams)}, by import`);
