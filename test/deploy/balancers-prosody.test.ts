/** HAProxy and nginx in front of two nodes in front of Prosody, all with the samples of deploy/. */
import { playBalancers } from './balancers.ts';

playBalancers('prosody');
