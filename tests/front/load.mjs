/**
 * Imports modules from the folder that the first argument of the command names.
 *
 * @import { FrontModules } from "./modules.d.ts"
 */
import { pathToFileURL } from "node:url";

/**
 * @template {keyof FrontModules} Name
 * @param {Name} name
 * @returns {Promise<FrontModules[Name]>}
 */
export const load = (name) => import(`${pathToFileURL(process.argv[2])}/${name}`);
