/** HAProxy and nginx in front of two nodes in front of ejabberd, all with the samples of deploy/. */
import { playBalancers } from './balancers.ts';

playBalancers('ejabberd');
