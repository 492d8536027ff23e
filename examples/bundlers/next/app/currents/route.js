import { ExpSyn } from 'expsyn';

/** A spike of each of two channels, computed anew for each request. */
export const dynamic = 'force-dynamic';

export async function GET() {
  const synapses = new ExpSyn(2, { tau: [0.01, 0.02], dt: 0.001 });
  const { output } = await synapses.evolve([
    [1, 0],
    [0, 2],
    [0, 0],
  ]);
  return Response.json([...output.data]);
}
