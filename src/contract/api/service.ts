// A service by its name. Which there are is known on a floor above; the API's description lists them.

import { z } from "zod";

export const serviceName = z.string().meta({ id: "ServiceName", description: "The name of a service" });
