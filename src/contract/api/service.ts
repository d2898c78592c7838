// A service by its name. The list of services is on a floor above; the API's description has it.

import { z } from "zod";

export const serviceName = z.string().meta({ id: "ServiceName", description: "The name of a service" });
