"""Why a model decides as it does: heat maps, and whether they mean anything."""
