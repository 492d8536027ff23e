// Stands in for the addon's loader in the bundle.
import { getAddon } from './instance';

export = getAddon();
