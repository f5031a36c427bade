/* Operations of which MLX's CPU build has none in one piece, made of those that its files hold. */
#ifndef MICA_ENGINE_MLX_APART_H
#define MICA_ENGINE_MLX_APART_H

#include "core/node.h"

/* Whether the node has to be taken apart before it is written. */
bool mica__mlx_is_apart(const mica_node *n);
/* Its outputs from inputs of the same shapes. `out` has room for 8 more than the node's outputs.
   Returns how many were filled in: all that other nodes use; 0, and the scope is marked, on
   failure. */
size_t mica__mlx_take_apart(mica_scope *s, const mica_node *n, mica_array *const in[],
                            mica_array *out[]);

#endif
