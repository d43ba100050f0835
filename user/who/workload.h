/* SPDX-License-Identifier: Apache-2.0 */
/* From a pod's name to its workload's, by the rules by which Kubernetes makes the former. */
#ifndef SONDE_WORKLOAD_H
#define SONDE_WORKLOAD_H

#include "base/str.h"

/* A view of the beginning of the pod's name, never empty unless that is. */
struct str workload_name(struct str pod);
/* Of a static pod, which bears its node's name behind its own. node: empty if not known. */
struct str workload_static(struct str pod, struct str node);
/* Of the controller that the API names. hash: the pod's label pod-template-hash, or empty. */
struct str workload_controlled(struct str kind, struct str name, struct str hash);

#endif
